const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/// Such as `1.4 GB`: of 1,000, as gear counts.
export function octets(n: number): string {
  let unit = 0;
  let left = n;
  while (left >= 1000 && unit < UNITS.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}
