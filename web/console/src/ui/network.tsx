/// Columns and filters of what has a place on the network: logins, sessions and endpoints are told by the same words.
import { network as words } from '../texts/network';
import type { Filter } from './filters';
import type { Column } from './table';

const text = (key: keyof typeof words, width: number): Filter => ({ key, label: words[key], kind: 'text', width });
const time = (key: 'since' | 'until'): Filter => ({ key, label: words[key], kind: 'time' });

export const BY = {
  who: { key: 'identity', label: words.who, kind: 'text', width: 140 },
  mac: text('mac', 150),
  ip: text('ip', 130),
  nas: text('nas', 120),
  site: text('site', 100),
  profile: text('profile', 110),
  ssid: text('ssid', 100),
  vlan: text('vlan', 80),
  since: time('since'),
  until: time('until'),
} satisfies Record<string, Filter>;

export const macColumn = <T,>(of: (row: T) => string | null, narrow?: Column<T>['narrow']): Column<T> => ({
  key: 'mac', header: words.mac, width: '140px', narrow, cell: (row) => <span className="mono">{of(row)}</span>,
});
export const nasColumn = <T,>(of: (row: T) => React.ReactNode): Column<T> => ({ key: 'nas', header: words.nas, width: 'minmax(110px, .9fr)', cell: of });
export const profileColumn = <T,>(of: (row: T) => string | null): Column<T> => ({ key: 'profile', header: words.profile, width: 'minmax(80px, .6fr)', narrow: 'hidden', cell: of });
