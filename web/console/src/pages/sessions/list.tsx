import { Button } from '@mantine/core';
import { useMemo } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { stringifySearch, useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { sessions as texts } from '../../texts/sessions';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { octets } from '../../ui/octets';
import { DataTable, type Column } from '../../ui/table';
import { Time } from '../../ui/time';
import { SessionTag } from './tag';

export type Session = Schemas['Page_Session']['items'][number];

/// How often the list is asked for again, in milliseconds.
const REFRESH_MS = 5_000;

export const FILTERS: Filter[] = [
  { key: 'live', label: texts.live, kind: 'select', width: 120, options: [{ value: 'true', label: texts.liveOn }, { value: 'false', label: texts.liveOff }] },
  { key: 'identity', label: texts.who, kind: 'text', width: 140 },
  { key: 'mac', label: texts.mac, kind: 'text', width: 150 },
  { key: 'ip', label: texts.ip, kind: 'text', width: 130 },
  { key: 'nas', label: texts.nas, kind: 'text', width: 120 },
  { key: 'site', label: texts.site, kind: 'text', width: 100 },
  { key: 'profile', label: texts.profile, kind: 'text', width: 110 },
  { key: 'ssid', label: texts.ssid, kind: 'text', width: 100 },
  { key: 'vlan', label: texts.vlan, kind: 'text', width: 80 },
  { key: 'since', label: texts.started, kind: 'time' },
];

export const whose = (s: Pick<Session, 'identity' | 'user_name' | 'mac'>): string => s.identity ?? s.user_name ?? s.mac ?? common.unknown;

const COLUMNS: Column<Session>[] = [
  { key: 'who', header: texts.who, width: 'minmax(130px, 1.3fr)', narrow: 'first', cell: whose },
  { key: 'state', header: texts.stateHead, width: '130px', narrow: 'first', cell: (s) => <SessionTag of={s.state} /> },
  { key: 'nas', header: texts.nas, width: 'minmax(100px, .9fr)', cell: (s) => s.nas.name },
  { key: 'port', header: texts.port, width: 'minmax(80px, .8fr)', cell: (s) => s.nas.port },
  { key: 'ip', header: texts.ip, width: '120px', cell: (s) => s.framed_ip ?? s.framed_ipv6 },
  { key: 'mac', header: texts.mac, width: '140px', narrow: 'hidden', cell: (s) => <span className="mono">{s.mac}</span> },
  { key: 'profile', header: texts.profile, width: 'minmax(80px, .6fr)', narrow: 'hidden', cell: (s) => s.profile },
  { key: 'usage', header: texts.usage, width: '130px', narrow: 'hidden', cell: (s) => `${octets(s.input_octets)} / ${octets(s.output_octets)}` },
  { key: 'started', header: texts.started, width: '110px', cell: (s) => <Time at={s.started_at} /> },
];

export default function Sessions() {
  const [params] = useParameters();
  const query = useMemo(() => wanted(params, FILTERS), [params]);
  const filtered = Object.keys(query).length > 0;
  return (
    <PageFrame
      title={texts.title}
      hint={texts.hint}
      full
      actions={<Button variant="default" component="a" href={`/api/v1/sessions.csv${stringifySearch(query)}`} leftSection={<Icon name="download" size={14} />}>{texts.export}</Button>}
    >
      <Filters of={FILTERS} />
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['sessions', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/sessions', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(s) => s.id}
        rowTo={(s) => `/sessions/${s.id}`}
        refresh={REFRESH_MS}
        empty={<Empty title={filtered ? common.noneFiltered : texts.empty}>{filtered ? common.noneFilteredHint : texts.emptyHint}</Empty>}
      />
    </PageFrame>
  );
}
