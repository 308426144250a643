import { describe, expect, it } from 'vitest';
import { rulesOf, scopeText, without, written } from './rules';

const TEXT = `// A comment with "quotes" and ; in it.
@id("late") @order("20") @profile("corp")
permit (principal is Device in Group::"a, b", action == Network::Action::"connect", resource in Site::"hq")
when { context.method == "eap-tls" && context.nas.name != "}" }
unless { context.risk.level == "high" };

@id("first")
@order("10")
forbid (principal in Group::"quarantined", action, resource);
`;

describe('rules of a text', () => {
  it('are cut apart whatever strings and comments hold, in their order', () => {
    const rules = rulesOf(TEXT);
    expect(rules?.map((rule) => rule.id)).toEqual(['first', 'late']);
    expect(rules?.[1]).toMatchObject({ effect: 'permit', order: '20', profile: 'corp', principal: 'is Device in Group::"a, b"', resource: 'in Site::"hq"', line: 2 });
    expect(rules?.[1]?.conditions).toEqual(['context.method == "eap-tls" && context.nas.name != "}"', 'not: context.risk.level == "high"']);
  });

  it('are none where the text is not whole', () => {
    expect(rulesOf('permit (principal, action, resource)')).toBeUndefined();
    expect(rulesOf('@id("x" permit')).toBeUndefined();
    expect(rulesOf('// nothing\n')).toEqual([]);
  });

  it('can be taken out', () => {
    const [first] = rulesOf(TEXT) ?? [];
    expect(rulesOf(without(TEXT, first!))?.map((rule) => rule.id)).toEqual(['late']);
  });

  it('can be written, and are read as they were written', () => {
    const text = written({ id: 'p"q', order: 35, profile: 'printers', kind: 'Device', group: 'printers', site: 'hq', method: 'mab' });
    expect(rulesOf(text)?.[0]).toMatchObject({ order: '35', profile: 'printers', principal: 'is Device in Group::"printers"', resource: 'in Site::"hq"', conditions: ['context.method == "mab"'] });
  });

  it('are shown in few words', () => {
    expect(scopeText('in Group::"printers"')).toBe('printers');
    expect(scopeText('is Agent in Group::"agents"')).toBe('Agent in agents');
  });
});
