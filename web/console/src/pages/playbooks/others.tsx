/// Who is in quarantine, and what people look into.
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { Empty } from '../../ui/empty';
import { Filters, type Filter } from '../../ui/filters';
import { To } from '../../ui/link';
import { Nothing, useWanted } from '../../ui/list';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';
import { ending, useRelease, type Containment } from '../identities/containments';
import { CaseDrawer, CaseTag, type Case } from './case';

/// Between two looks, in milliseconds.
const REFRESH_MS = 3_000;

export function Quarantine() {
  const release = useRelease();
  const who = (c: Containment) => c.name ?? c.mac ?? '';
  const columns: Column<Containment>[] = [
    { key: 'who', header: texts.who, width: 'minmax(130px, 1fr)', narrow: 'first', cell: (c) => (c.identity ? <To to={`/identities/${c.identity}`}>{who(c)}</To> : <b className="mono">{who(c)}</b>) },
    { key: 'profile', header: texts.profile, width: '110px', narrow: 'first', cell: (c) => <Tag tone="warn">{c.profile}</Tag> },
    { key: 'cause', header: texts.cause, width: 'minmax(160px, 2fr)', cell: (c) => <span title={c.cause}>{c.cause}</span> },
    { key: 'by', header: texts.by, width: 'minmax(90px, .8fr)', narrow: 'hidden', cell: (c) => c.by },
    { key: 'since', header: texts.since, width: '110px', narrow: 'hidden', cell: (c) => <Time at={c.since} /> },
    { key: 'until', header: texts.until, width: '110px', narrow: 'hidden', cell: (c) => <Time at={c.until} /> },
    {
      key: 'acts', header: '', width: '90px', cell: (c) => (
        <Act permission={ending(c)} size="compact-xs" onClick={() => void release(who(c), [c])}>{texts.letOut}</Act>
      ),
    },
  ];
  return <DataTable label={texts.tabs.contained ?? ''} columns={columns} queryKey={['containments']} refresh={REFRESH_MS} fetch={(cursor) => ask(api.GET('/api/v1/containments', { params: { query: { cursor, limit: 100 } as never } }))} rowKey={(c) => c.id} empty={<Empty title={texts.contained}>{texts.containedHint}</Empty>} />;
}

const CASE_FILTERS: Filter[] = [{ key: 'state', label: texts.state, kind: 'select', options: [{ value: 'open', label: texts.open }, { value: 'closed', label: texts.closed }] }];

export function Cases() {
  const [shown, show] = useState<Case>();
  const query = useWanted(CASE_FILTERS);
  const columns: Column<Case>[] = [
    { key: 'title', header: texts.what, width: 'minmax(160px, 1.6fr)', narrow: 'first', cell: (c) => <button type="button" className="as-link" onClick={() => show(c)}>{c.title}</button> },
    { key: 'state', header: texts.state, width: '90px', narrow: 'first', cell: (c) => <CaseTag of={c} /> },
    { key: 'who', header: texts.about, width: 'minmax(110px, 1fr)', cell: (c) => c.who },
    { key: 'by', header: texts.by, width: 'minmax(90px, .8fr)', narrow: 'hidden', cell: (c) => c.opened_by },
    { key: 'opened', header: texts.since, width: '110px', cell: (c) => <Time at={c.opened_at} /> },
    { key: 'comments', header: texts.comments, width: '100px', narrow: 'hidden', cell: (c) => c.comments.length },
  ];
  return (
    <>
      <Filters of={CASE_FILTERS} />
      <DataTable label={texts.tabs.cases ?? ''} columns={columns} queryKey={['cases', 'list', query]} refresh={REFRESH_MS} fetch={(cursor) => ask(api.GET('/api/v1/cases', { params: { query: { ...query, cursor, limit: 100 } as never } }))} rowKey={(c) => c.id} empty={<Nothing query={query} words={{ empty: texts.noCases, emptyHint: texts.noCasesHint }} />} />
      {shown && <CaseDrawer of={shown} close={() => show(undefined)} />}
    </>
  );
}
