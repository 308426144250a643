import { expect, it } from 'vitest';
import { fromField, toField } from './zoned';

it('a time in a field is in the zone that is shown, in summer and in winter', () => {
  expect(fromField('2026-07-01T14:05', 'Europe/Berlin')).toBe('2026-07-01T12:05:00.000Z');
  expect(fromField('2026-01-01T14:05', 'Europe/Berlin')).toBe('2026-01-01T13:05:00.000Z');
  expect(fromField('2026-01-01T14:05', 'UTC')).toBe('2026-01-01T14:05:00.000Z');
  expect(fromField('', 'UTC')).toBeUndefined();
});

it('what is written is read again, around the changes of clocks too', () => {
  for (const at of ['2026-03-29T00:59:00.000Z', '2026-03-29T01:00:00.000Z', '2026-10-25T02:30:00.000Z', '2026-07-01T12:05:00.000Z']) {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC']) expect(fromField(toField(at, zone), zone)).toBe(at);
  }
});
