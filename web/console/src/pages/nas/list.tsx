import { Button, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { useMe } from '../../api/me';
import { nas as texts } from '../../texts/nas';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { DataTable, type Column } from '../../ui/table';
import { Time, useClock } from '../../ui/time';
import '../../ui/lists.css';
import { Authenticator, Health, type Device } from './health';
import './nas.css';

/// Between two looks, in milliseconds.
const REFRESH_MS = 5_000;

function Unknown() {
  const me = useMe();
  const query = useQuery({ queryKey: ['nas', 'unknown'], queryFn: () => ask(api.GET('/api/v1/nas/unknown')), refetchInterval: REFRESH_MS });
  if (!query.data || query.data.items.length === 0) return null;
  return (
    <Panel title={texts.unknownTitle} className="unknown-nas">
      <Text size="sm" c="dimmed" mb="xs">{texts.unknownHint}</Text>
      <ul className="plain">
        {query.data.items.slice(0, 8).map((one) => (
          <li key={one.address}>
            <b className="mono">{one.address}</b> {[one.nas_identifier, one.vendor].filter(Boolean).join(', ')} <Text span c="dimmed" size="sm"><Time at={one.last_at} /></Text>{' '}
            {me.may('gear:write') && <To underline="always" to="/nas/new" search={{ address: one.address, vendor: one.vendor ?? undefined, name: one.nas_identifier ?? undefined }}>{texts.adopt}</To>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export default function Devices() {
  const me = useMe();
  const { now } = useClock();
  const columns: Column<Device>[] = [
    { key: 'name', header: texts.name, width: 'minmax(130px, 1.2fr)', narrow: 'first', cell: (d) => <b>{d.name}</b> },
    { key: 'health', header: texts.health, width: '130px', narrow: 'first', cell: (d) => <Health of={d} now={now} /> },
    { key: 'site', header: texts.site, width: 'minmax(70px, .7fr)', cell: (d) => d.site },
    { key: 'vendor', header: texts.vendor, width: 'minmax(100px, 1fr)', cell: (d) => d.vendor },
    { key: 'address', header: texts.address, width: 'minmax(120px, 1fr)', narrow: 'hidden', cell: (d) => <span className="mono">{d.addresses.join(', ')}</span> },
    { key: 'authenticator', header: texts.authenticator, width: '170px', narrow: 'hidden', cell: (d) => <Authenticator of={d} /> },
    { key: 'last', header: texts.last, width: '110px', cell: (d) => <Time at={d.last_at} /> },
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} full actions={me.may('gear:write') && <Button leftSection={<Icon name="plus" size={14} />} renderRoot={(props: object) => <Link {...props} to={'/nas/new' as never} />}>{texts.add}</Button>}>
      <Unknown />
      <DataTable
        label={texts.title}
        columns={columns}
        queryKey={['nas', 'list']}
        fetch={(cursor) => ask(api.GET('/api/v1/nas', { params: { query: { cursor, limit: 200 } } }))}
        refresh={REFRESH_MS}
        rowKey={(d) => d.name}
        rowTo={(d) => `/nas/${encodeURIComponent(d.name)}`}
        empty={<Empty title={texts.empty}>{texts.emptyHint}</Empty>}
      />
    </PageFrame>
  );
}
