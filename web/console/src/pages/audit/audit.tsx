import { useState } from 'react';
import { api, ask } from '../../api/client';
import { audit as texts } from '../../texts/audit';
import type { Filter } from '../../ui/filters';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import '../../ui/lists.css';
import { BY } from '../../ui/network';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';
import './audit.css';
import { EventDrawer, sourceText, type Event } from './event';
import { Verify } from './verify';

const FILTERS: Filter[] = [
  { key: 'actor', label: texts.actor, kind: 'text' },
  { key: 'action', label: texts.action, kind: 'text', placeholder: 'identity.update' },
  { key: 'kind', label: texts.kind, kind: 'text', width: 110 },
  { key: 'object', label: texts.object, kind: 'text' },
  BY.since,
  BY.until,
];

export default function Audit() {
  const [shown, show] = useState<Event>();
  const query = useWanted(FILTERS);
  const columns: Column<Event>[] = [
    { key: 'seq', header: texts.number, width: '64px', narrow: 'hidden', cell: (e) => <span className="mono">{e.seq}</span> },
    { key: 'at', header: texts.when, width: '160px', cell: (e) => <Time at={e.at} exact /> },
    { key: 'actor', header: texts.actor, width: 'minmax(90px, .8fr)', narrow: 'first', cell: (e) => <b>{e.actor}</b> },
    { key: 'action', header: texts.action, width: 'minmax(130px, 1fr)', narrow: 'first', cell: (e) => <>{e.outcome === 'failure' ? <Tag tone="bad">{e.action} ({texts.failure})</Tag> : e.action}</> },
    { key: 'object', header: texts.object, width: 'minmax(150px, 1.5fr)', cell: (e) => <button type="button" className="as-link" onClick={() => show(e)}>{e.object.kind} {e.object.name}</button> },
    { key: 'reason', header: texts.why, width: 'minmax(100px, 1fr)', narrow: 'hidden', cell: (e) => e.reason },
    { key: 'source', header: texts.from, width: '150px', narrow: 'hidden', cell: (e) => sourceText(e.source) },
  ];
  return (
    <ListPage words={texts} filters={FILTERS} csv="/api/v1/audit.csv" query={query} above={<Verify />}>
      <DataTable
        label={texts.title}
        columns={columns}
        queryKey={['audit', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/audit', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(e) => e.id}
        empty={<Nothing query={query} words={texts} />}
      />
      {shown && <EventDrawer event={shown} close={() => show(undefined)} />}
    </ListPage>
  );
}
