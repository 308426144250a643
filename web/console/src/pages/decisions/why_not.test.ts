import { describe, expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { meant, whyNot } from './why_not';

const PROFILES = [
  { name: 'corp', vlan: 20 },
  { name: 'guests', vlan: { pool: [30, 31] } },
  { name: 'printers', vlan: { by_site: { hq: 40, lab: 41 }, else: 42 } },
  { name: 'agents', vlan: 'ai-agents' },
];
const explained = (more: Partial<Schemas['Explained']>): Schemas['Explained'] => ({ outcome: 'no_rule', profile: null, decided_by: [], errors: [], barred: null, rules: [], ...more });
const rule = (id: string, order: number, profile: string, verdict: string, effect = 'permit') => ({ id, order, profile, verdict, effect });

describe('why not', () => {
  it('finds profiles by name, number, pool, site and name of a VLAN', () => {
    const found = ['corp', 'VLAN 20', '31', '41', '42', 'AI-agents', '99'].map((text) => meant(text, PROFILES).map((p) => p.name).join());
    expect(found).toEqual(['corp', 'corp', 'guests', 'printers', 'printers', 'agents', '']);
  });

  it('tells what each rule stops on that would grant it', () => {
    const answer = whyNot('20', PROFILES, explained({ rules: [rule('laptops', 10, 'corp', 'is about others'), rule('agents', 30, 'agents', 'matches')] }));
    expect(answer.rules).toEqual([{ id: 'laptops', said: 'Rule laptops would grant it, but', verdict: 'is about others' }]);
  });

  it('tells who came first, and what forbids', () => {
    const both = explained({ outcome: 'permit', profile: 'agents', decided_by: ['agents'], rules: [rule('agents', 5, 'agents', 'matches'), rule('laptops', 10, 'corp', 'matches')] });
    expect(whyNot('20', PROFILES, both).rules[0]?.said).toContain('comes after agents');
    const forbidden = explained({ outcome: 'deny', decided_by: ['lost'], rules: [rule('lost', 1, '', 'matches', 'forbid'), rule('laptops', 10, 'corp', 'matches')] });
    expect(whyNot('20', PROFILES, forbidden).rules[0]?.said).toContain('lost');
  });

  it('says that no rule, or no profile, gives it', () => {
    expect(whyNot('20', PROFILES, explained({})).rules[0]?.said).toContain('No rule grants corp');
    expect(whyNot('99', PROFILES, explained({})).lead).toContain('No profile gives 99');
    expect(whyNot('20', PROFILES, explained({ outcome: 'permit', profile: 'corp' })).rules[0]?.said).toContain('grants it');
  });
});
