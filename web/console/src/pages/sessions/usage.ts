import type { Schemas } from '../../api/client';

type Accounting = Pick<Schemas['Page_AccountingRecord']['items'][number], 'at' | 'input_octets' | 'output_octets'>;

export interface Step {
  at: string;
  input: number;
  output: number;
}

/// How much a counter grew; one that is less than before was set back.
const grown = (before: number, now: number): number => (now >= before ? now - before : now);

/// What came between one accounting record and the next, the oldest first: records tell sums.
export function usageOf(records: Accounting[]): Step[] {
  const sums = records.filter((record) => record.input_octets !== null || record.output_octets !== null);
  sums.sort((a, b) => a.at.localeCompare(b.at));
  let before = { input: 0, output: 0 };
  return sums.map((record) => {
    const now = { input: record.input_octets ?? before.input, output: record.output_octets ?? before.output };
    const step = { at: record.at, input: grown(before.input, now.input), output: grown(before.output, now.output) };
    before = now;
    return step;
  });
}
