import { expect, it } from 'vitest';
import { shifted, SPAN } from './span';

it('moves on near its ends, and holds what is seen', () => {
  expect(shifted(0, 0, 30, 100)).toBe(0);
  expect(shifted(0, SPAN - 100, SPAN - 70, SPAN)).toBe(0);
  expect(shifted(0, SPAN - 100, SPAN - 70, 1_000_000)).toBe(SPAN / 2);
  expect(shifted(SPAN / 2, SPAN - 100, SPAN - 70, 1_000_000)).toBe(SPAN / 2);
  expect(shifted(SPAN / 2, SPAN / 2 + 10, SPAN / 2 + 40, 1_000_000)).toBe(0);
  expect(shifted(SPAN / 2, 5, 30, 20)).toBe(0);
});

it('covers a million rows, down and up again, and never ends amidst what is seen', () => {
  let base = 0;
  const rows = [...Array(2_000).keys()].map((n) => n * 490);
  for (const first of [...rows, ...rows.reverse()]) {
    base = shifted(base, first, first + 30, 1_000_000);
    expect(first >= base && first + 30 <= base + SPAN).toBe(true);
  }
  expect(base).toBe(0);
});
