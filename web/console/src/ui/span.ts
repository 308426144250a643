/// The most rows that the scroller holds at a time: on two lines that is a million pixels and some, of which browsers bear ten.
export const SPAN = 20_000;
/// How near the end of the span one comes before it moves on, in rows.
const EDGE = 500;

/// Where the span begins when rows `first` to `last` of `count` are seen; it moves by half of itself.
export function shifted(base: number, first: number, last: number, count: number): number {
  const most = Math.max(0, count - SPAN);
  if (last > base + SPAN - EDGE) return Math.min(most, base + SPAN / 2);
  if (first < base + EDGE) return Math.max(0, base - SPAN / 2);
  return Math.min(base, most);
}
