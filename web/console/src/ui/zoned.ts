/// Times in fields of a browser, which know no zone: they are read and written in the zone that is shown.
import { written } from './time';

/// Minutes by which `zone` is ahead of UTC at that moment.
function ahead(at: number, zone: string): number {
  const text = written(at, zone).replace(' ', 'T');
  return Math.round((Date.parse(`${text}Z`) - at) / 60_000);
}

/// A moment (RFC 3339) as a `datetime-local` field shows it.
export const toField = (at: string, zone: string): string => (Number.isNaN(Date.parse(at)) ? '' : written(at, zone).replace(' ', 'T'));

/// What such a field says, as a moment (RFC 3339); nothing, if it says none.
export function fromField(text: string, zone: string): string | undefined {
  const there = Date.parse(`${text}Z`);
  if (Number.isNaN(there)) return undefined;
  // Twice: near a change of clocks the first guess may be on the other side of it.
  let at = there - ahead(there, zone) * 60_000;
  at = there - ahead(at, zone) * 60_000;
  return new Date(at).toISOString();
}
