/// How far the first steps are: kept in this window, so that one may look at other pages meanwhile. Secrets are not in it.
import { useState } from 'react';

export interface Steps {
  /// When the first was begun, in milliseconds since 1970.
  began: number;
  device?: string;
  profile?: string;
  vlan?: string;
  identity?: string;
  identityName?: string;
  dns?: string;
  group?: string;
  revision?: string;
}

const KEPT = 'cordon-first-steps';

function kept(): Steps {
  try {
    const steps = JSON.parse(sessionStorage.getItem(KEPT) ?? '') as Steps;
    if (typeof steps.began === 'number') return steps;
  } catch {
    // Nothing was begun, or it is of another version: one begins anew.
  }
  return { began: Date.now() };
}

export function useSteps(): [Steps, (part: Partial<Steps>) => void, () => void] {
  const [steps, setSteps] = useState(kept);
  const put = (next: Steps) => { sessionStorage.setItem(KEPT, JSON.stringify(next)); setSteps(next); };
  return [steps, (part) => put({ ...steps, ...part }), () => put({ began: Date.now() })];
}

/// Which step is the first that is not done, from 0.
export function stepOf({ device, profile, identity, revision }: Steps): number {
  const open = [device, profile, identity, revision].findIndex((done) => !done);
  return open === -1 ? 4 : open;
}
