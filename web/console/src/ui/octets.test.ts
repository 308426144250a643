import { expect, it } from 'vitest';
import { octets } from './octets';

it('octets are told in the unit that fits', () => {
  expect([0, 999, 1_400, 123_456_789, 5e12, 9e18].map(octets)).toEqual(['0 B', '999 B', '1.4 kB', '123 MB', '5.0 TB', '9000 PB']);
});
