/// "Why not VLAN 20?": which profiles give it, which rules would grant those, and what each of them stops on.
import type { Schemas } from '../../api/client';
import { story as texts } from '../../texts/decisions';

type Explained = Schemas['Explained'];

export interface NamedProfile {
  name: string;
  vlan?: unknown;
  tagged_vlans?: unknown;
  role?: unknown;
}

/// All VLANs that a profile can give, as text.
function vlans(vlan: unknown): string[] {
  if (vlan === null || vlan === undefined) return [];
  if (Array.isArray(vlan)) return vlan.flatMap(vlans);
  if (typeof vlan === 'object') return Object.values(vlan).flatMap(vlans);
  return [String(vlan)];
}

/// The profiles that are meant: by their name, or by what they give.
export function meant(wanted: string, profiles: NamedProfile[]): NamedProfile[] {
  const text = wanted.trim().toLowerCase().replace(/^vlan\s*/, '');
  return profiles.filter((profile) => profile.name.toLowerCase() === text
    || vlans(profile.vlan).some((vlan) => vlan.toLowerCase() === text)
    || (typeof profile.role === 'string' && profile.role.toLowerCase() === text));
}

export interface Answer {
  lead: string;
  /// One line for each rule.
  rules: { id?: string; said: string; verdict?: string }[];
}

export function whyNot(wanted: string, profiles: NamedProfile[], explained: Explained): Answer {
  const those = meant(wanted, profiles);
  if (those.length === 0) return { lead: texts.whyNotNone(wanted, profiles.map((p) => p.name).join(', ')), rules: [] };
  const names = those.map((p) => p.name);
  const lead = texts.whyNotProfiles(wanted, names.join(', '));
  if (explained.profile && names.includes(explained.profile)) return { lead, rules: [{ said: texts.whyNotGranted(explained.profile) }] };
  if (explained.barred) return { lead, rules: [{ said: texts.whyNotBarred(explained.barred) }] };
  const rules = explained.rules.filter((rule) => rule.effect === 'permit' && rule.profile && names.includes(rule.profile));
  if (rules.length === 0) return { lead, rules: [{ said: texts.whyNotNoRule(names.join(', ')) }] };
  const forbids = explained.rules.filter((rule) => rule.effect === 'forbid' && rule.verdict === 'matches').map((rule) => rule.id);
  const lines: Answer['rules'] = rules.map((rule) => {
    if (rule.verdict !== 'matches') return { id: rule.id, said: texts.whyNotStops(rule.id), verdict: rule.verdict };
    return { id: rule.id, said: texts.whyNotBeaten(rule.id, rule.order, explained.decided_by.join(', ')) };
  });
  if (forbids.length > 0) lines.unshift({ said: texts.whyNotForbidden(forbids.join(', ')) });
  return { lead, rules: lines };
}
