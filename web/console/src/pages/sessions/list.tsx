import { api, ask, type Schemas } from '../../api/client';
import { common } from '../../texts/common';
import { sessions as texts } from '../../texts/sessions';
import type { Filter } from '../../ui/filters';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import { BY, macColumn, nasColumn, profileColumn } from '../../ui/network';
import { octets } from '../../ui/octets';
import { DataTable, type Column } from '../../ui/table';
import { Time } from '../../ui/time';
import { SessionTag } from './tag';

export type Session = Schemas['Page_Session']['items'][number];

/// How often the list is asked for again, in milliseconds.
const REFRESH_MS = 5_000;

export const FILTERS: Filter[] = [
  { key: 'live', label: texts.live, kind: 'select', width: 120, options: [{ value: 'true', label: texts.liveOn }, { value: 'false', label: texts.liveOff }] },
  BY.who, BY.mac, BY.ip, BY.nas, BY.site, BY.profile, BY.ssid, BY.vlan, BY.since,
];

export const whose = (s: Pick<Session, 'identity' | 'user_name' | 'mac'>): string => s.identity ?? s.user_name ?? s.mac ?? common.unknown;

const COLUMNS: Column<Session>[] = [
  { key: 'who', header: texts.who, width: 'minmax(130px, 1.3fr)', narrow: 'first', cell: whose },
  { key: 'state', header: texts.stateHead, width: '130px', narrow: 'first', cell: (s) => <SessionTag of={s.state} /> },
  nasColumn((s) => s.nas.name),
  { key: 'port', header: texts.port, width: 'minmax(80px, .8fr)', cell: (s) => s.nas.port },
  { key: 'ip', header: texts.ip, width: '120px', cell: (s) => s.framed_ip ?? s.framed_ipv6 },
  macColumn((s) => s.mac, 'hidden'),
  profileColumn((s) => s.profile),
  { key: 'usage', header: texts.usage, width: '130px', narrow: 'hidden', cell: (s) => `${octets(s.input_octets)} / ${octets(s.output_octets)}` },
  { key: 'started', header: texts.started, width: '110px', cell: (s) => <Time at={s.started_at} /> },
];

export default function Sessions() {
  const query = useWanted(FILTERS);
  return (
    <ListPage words={texts} filters={FILTERS} csv="/api/v1/sessions.csv" query={query}>
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['sessions', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/sessions', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(s) => s.id}
        rowTo={(s) => `/sessions/${s.id}`}
        refresh={REFRESH_MS}
        empty={<Nothing query={query} words={texts} />}
      />
    </ListPage>
  );
}
