import { describe, expect, it } from 'vitest';
import { relative, span, written } from './time';

describe('times', () => {
  it('spans are told in their two greatest units, while they are short', () => {
    expect([0, 59, 61, 3_600, 5_400, 90_000, 864_000].map(span)).toEqual(['0 s', '59 s', '1 min 1 s', '1 h', '1 h 30 min', '1 d 1 h', '10 d']);
  });

  it('what was and what will be', () => {
    const now = Date.parse('2026-03-01T12:00:00Z');
    expect(relative('2026-03-01T11:00:00Z', now)).toBe('1 h ago');
    expect(relative('2026-03-03T12:00:00Z', now)).toBe('in 2 d');
    expect(relative('2026-03-01T12:00:05Z', now)).toBe('just now');
  });

  it('are written in the zone that is chosen, through the change of clocks', () => {
    expect(written('2026-03-29T01:30:00Z', 'Europe/Berlin')).toBe('2026-03-29 03:30:00');
    expect(written('2026-03-29T01:30:00Z', 'UTC')).toBe('2026-03-29 01:30:00');
  });
});
