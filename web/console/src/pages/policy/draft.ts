/// The draft: it lives as long as the console is open in this window, also while one looks at other pages.
import { useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { api, ask, type Schemas } from '../../api/client';

export interface Draft {
  text: string;
  tests: string;
}

let draft: Draft | undefined;
const watchers = new Set<() => void>();

function put(next: Draft | undefined): void {
  draft = next;
  watchers.forEach((tell) => tell());
}

const subscribe = (tell: () => void) => { watchers.add(tell); return () => void watchers.delete(tell); };

/// What is in force.
export const usePolicy = () => useQuery({ queryKey: ['policy'], queryFn: () => ask(api.GET('/api/v1/policy')) });

/// What is looked at: the draft, or else what is in force.
export function useDraft(policy: Schemas['PolicyView'] | undefined) {
  const own = useSyncExternalStore(subscribe, () => draft);
  const inForce: Draft = { text: policy?.text ?? '', tests: policy?.tests ?? '' };
  const now = own ?? inForce;
  return {
    ...now,
    isDraft: own !== undefined && (own.text !== inForce.text || own.tests !== inForce.tests),
    set: (part: Partial<Draft>) => put({ ...now, ...part }),
    discard: () => put(undefined),
  };
}

export type Drafted = ReturnType<typeof useDraft>;
