import { expect, it } from 'vitest';
import { nearness } from './groups';

it('an end is over, soon, within a month, or later', () => {
  const now = Date.parse('2026-11-24T08:00:00Z');
  expect(['2026-11-24T07:59:59Z', '2026-11-30T08:00:00Z', '2026-12-20T08:00:00Z', '2027-03-01T00:00:00Z'].map((at) => nearness(at, now))).toEqual(['over', 'soon', 'month', 'later']);
});
