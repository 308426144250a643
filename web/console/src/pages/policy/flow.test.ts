import { expect, it } from 'vitest';
import { layout } from './flow';

it('bands meet nodes that are as tall as they are together, and none is too thin to be seen', () => {
  const { left, right, bands, height } = layout([
    { from: 'printers', to: 'printers-hq', decisions: 900 },
    { from: 'printers', to: 'denied', decisions: 1 },
    { from: 'corp', to: 'denied', decisions: 99 },
  ], 400);
  expect(left.map((node) => node.name)).toEqual(['printers', 'corp']);
  expect(right.map((node) => node.name)).toEqual(['printers-hq', 'denied']);
  expect(bands).toHaveLength(3);
  const total = (nodes: { height: number }[]) => nodes.reduce((sum, node) => sum + node.height, 0);
  expect(total(left)).toBeCloseTo(total(right));
  expect(left[0]!.height).toBeGreaterThan(110);
  expect(height).toBeGreaterThan(total(left));
});
