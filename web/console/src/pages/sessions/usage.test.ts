import { expect, it } from 'vitest';
import { usageOf } from './usage';

it('sums become steps, in the order of time, also where a counter was set back', () => {
  const record = (at: string, input: number | null, output: number | null) => ({ at, input_octets: input, output_octets: output });
  const told = usageOf([record('2026-03-01T12:02:00Z', 500, 900), record('2026-03-01T12:00:00Z', null, null), record('2026-03-01T12:01:00Z', 200, 300), record('2026-03-01T12:03:00Z', 40, 1_000)]);
  expect(told.map(({ input, output }) => [input, output])).toEqual([[200, 300], [300, 600], [40, 100]]);
});
