/// Sessions by site, network device and port.
export interface Placed {
  id: string;
  site: string | null;
  nas: string;
  port: string | null;
}

export interface Site<T> {
  site: string | null;
  count: number;
  devices: { nas: string; sessions: T[] }[];
}

/// In the order in which people count: `Gi1/0/2` before `Gi1/0/10`.
const inOrder = new Intl.Collator('en', { numeric: true }).compare;

export function bySite<T extends Placed>(all: T[]): Site<T>[] {
  const sites = new Map<string | null, Map<string, T[]>>();
  for (const one of all) {
    const devices = sites.get(one.site) ?? new Map<string, T[]>();
    sites.set(one.site, devices);
    devices.set(one.nas, [...(devices.get(one.nas) ?? []), one]);
  }
  const found = [...sites].map(([site, devices]) => ({
    site,
    count: [...devices.values()].reduce((sum, sessions) => sum + sessions.length, 0),
    devices: [...devices].map(([nas, sessions]) => ({ nas, sessions: sessions.sort((a, b) => inOrder(a.port ?? '', b.port ?? '')) })).sort((a, b) => inOrder(a.nas, b.nas)),
  }));
  // What stands nowhere stands last.
  return found.sort((a, b) => Number(a.site === null) - Number(b.site === null) || inOrder(a.site ?? '', b.site ?? ''));
}
