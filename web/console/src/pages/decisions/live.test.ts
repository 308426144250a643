import { describe, expect, it } from 'vitest';
import { canBeLive, fits, rowOfEvent } from './live';

const row = rowOfEvent({ kind: 'decision', id: '1', at: '2026-03-01T12:00:00Z', outcome: 'reject', reason: 'mac_unknown', nas: 'sw-1', mac: '02-00-5E-00-00-10', profile: null });

describe('the stream of logins', () => {
  it('finds a MAC address in any spelling', () => {
    for (const mac of ['02:00:5e:00:00:10', '0200.5e00.0010', '02005E000010']) expect(fits(row, { mac })).toBe(true);
    expect(fits(row, { mac: '02-00-5E-00-00-11' })).toBe(false);
  });

  it('knows reasons by their codes, and what it cannot tell', () => {
    expect(fits(row, { reason: 'mac_unknown' })).toBe(true);
    expect(fits(row, { profile: 'corp' })).toBe(false);
    expect(canBeLive({ outcome: 'reject', mac: 'x' })).toBe(true);
    expect(canBeLive({ since: '2026-03-01T12:00:00Z' })).toBe(false);
  });
});
