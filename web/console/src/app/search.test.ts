import { describe, expect, it } from 'vitest';
import { parseSearch, stringifySearch } from './search';

describe('the address', () => {
  it('says filters as plain text, and leaves out what is empty', () => {
    expect(stringifySearch({ vlan: '20', nas: undefined, mac: '', q: 'a b&c' })).toBe('?vlan=20&q=a+b%26c');
    expect(stringifySearch({})).toBe('');
  });

  it('is read as it was written, numbers as text too', () => {
    const said = { vlan: '20', q: '"x" <y>' };
    expect(parseSearch(stringifySearch(said).slice(1))).toEqual(said);
  });
});
