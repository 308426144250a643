/// How near an end is.
const DAY_MS = 86_400_000;

export const NEARNESS = ['over', 'soon', 'month', 'later'] as const;
export type Nearness = (typeof NEARNESS)[number];

export function nearness(ends: string, now: number): Nearness {
  const days = (new Date(ends).getTime() - now) / DAY_MS;
  if (days < 0) return 'over';
  if (days <= 7) return 'soon';
  return days <= 31 ? 'month' : 'later';
}
