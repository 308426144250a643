import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { after, vocabularyOf } from './schema';

// The server's own, so that what it comes to have is known here too.
const schema = vocabularyOf(readFileSync(new URL('../../../../../policies/schema.cedarschema', import.meta.url), 'utf8'));

describe('what rules may speak of', () => {
  it('is read from the schema of the server', () => {
    expect(schema.entities).toEqual(expect.arrayContaining(['Group', 'Site', 'Nas', 'Agent', 'Certificate']));
    expect(after(['context'], schema).map((fact) => fact.name)).toEqual(expect.arrayContaining(['method', 'certificate', 'risk']));
    expect(after(['principal'], schema).find((fact) => fact.name === 'owner')).toMatchObject({ type: 'String', optional: true });
  });

  it('is followed through records', () => {
    expect(after(['context', 'certificate'], schema).find((fact) => fact.name === 'days_left')?.type).toBe('Long');
    expect(after(['context', 'nothing'], schema)).toEqual([]);
  });
});
