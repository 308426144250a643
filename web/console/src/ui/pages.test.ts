import { describe, expect, it } from 'vitest';
import { BEGINNING, KEPT, layout, met, near, pageOf, type Met } from './pages';

const page = (length: number, next: string | null) => ({ items: Array.from({ length }), next });
const many = (pages: number): readonly Met[] => {
  let index = BEGINNING;
  for (let n = 0; n < pages; n += 1) index = met(index, index.at(-1)?.cursor, page(100, n + 1 < pages ? `c${n + 1}` : null));
  return index;
};

describe('pages that are met', () => {
  it('lead to the next, until there is none', () => {
    const one = met(BEGINNING, undefined, page(100, 'a'));
    expect(layout(one)).toEqual({ starts: [0, 100], count: 100, ended: false });
    const two = met(one, 'a', page(30, null));
    expect(layout(two)).toEqual({ starts: [0, 100], count: 130, ended: true });
    expect(met(two, 'a', page(30, null))).toBe(two);
    expect(met(two, 'gone', page(1, 'b'))).toBe(two);
  });

  it('are forgotten behind one that another follows than before', () => {
    const index = met(many(5), 'c1', page(100, 'other'));
    expect(index.map((one) => one.cursor)).toEqual([undefined, 'c1', 'other']);
    expect(layout(index)).toEqual({ starts: [0, 100, 200], count: 200, ended: false });
    expect(layout(met(many(5), 'c1', page(90, 'c2'))).count).toBe(490);
  });

  it('have rows that are found by their number, past pages without any', () => {
    const index = met(met(met(BEGINNING, undefined, page(2, 'a')), 'a', page(0, 'b')), 'b', page(3, null));
    const { starts } = layout(index);
    expect([0, 1, 2, 4].map((row) => pageOf(starts, row))).toEqual([0, 0, 2, 2]);
  });

  it('are few, wherever one is in a list of a million', () => {
    const laid = layout(many(10_000));
    for (const row of [0, 500_000, 999_980]) {
      const kept = near(laid, row, row + 20);
      expect(kept.length).toBeLessThanOrEqual(2 * KEPT + 3);
      expect(kept).toContain(0);
      expect(kept).toContain(pageOf(laid.starts, row));
    }
  });

  it('are asked for one at a time, near the end of those that came', () => {
    expect(near(layout(BEGINNING), 0, 0)).toEqual([0]);
    const one = layout(met(BEGINNING, undefined, page(100, 'a')));
    expect(near(one, 0, 20)).toEqual([0]);
    expect(near(one, 50, 70)).toEqual([0, 1]);
  });
});
