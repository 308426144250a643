import { expect, it } from 'vitest';
import { bySite } from './ports';

it('ports are in the order in which people count, and what has no site is last', () => {
  const at = (site: string | null, nas: string, port: string) => ({ id: `${nas}${port}`, site, nas, port });
  const told = bySite([at(null, 'x', '1'), at('lab', 'sw-2', 'Gi1/0/10'), at('hq', 'sw-10', '1'), at('lab', 'sw-2', 'Gi1/0/2'), at('hq', 'sw-9', '1')]);
  expect(told.map((site) => site.site)).toEqual(['hq', 'lab', null]);
  expect(told[0]?.devices.map((device) => device.nas)).toEqual(['sw-9', 'sw-10']);
  expect(told[1]?.devices[0]?.sessions.map((session) => session.port)).toEqual(['Gi1/0/2', 'Gi1/0/10']);
  expect(told[1]?.count).toBe(2);
});
