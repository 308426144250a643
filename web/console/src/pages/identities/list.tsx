import { Button, SegmentedControl } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { identities as texts } from '../../texts/identities';
import type { Filter } from '../../ui/filters';
import { Icon } from '../../ui/icons';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { credentialText, StatusTag } from './tag';

type Identity = Schemas['Page_Identity']['items'][number];

const FILTERS: Filter[] = [
  { key: 'name', label: texts.name, kind: 'text', placeholder: texts.nameHint, width: 200 },
  { key: 'status', label: texts.status, kind: 'select', width: 120, options: Object.entries(texts.statuses).map(([value, label]) => ({ value, label })) },
  { key: 'group', label: texts.group, kind: 'text', width: 130 },
  { key: 'owner', label: texts.owner, kind: 'text', width: 160 },
  { key: 'orphaned', label: texts.orphaned, kind: 'select', width: 130, options: [{ value: 'true', label: texts.orphanedYes }, { value: 'false', label: texts.orphanedNo }] },
];
/// The kind is chosen above the others.
const ALL: Filter[] = [{ key: 'kind', label: texts.kind, kind: 'text' }, ...FILTERS];

const COLUMNS: Column<Identity>[] = [
  { key: 'name', header: texts.name, width: 'minmax(150px, 1.4fr)', narrow: 'first', cell: (i) => <b>{i.name}</b> },
  { key: 'status', header: texts.status, width: '110px', narrow: 'first', cell: (i) => <StatusTag of={i.status} /> },
  { key: 'kind', header: texts.kind, width: '90px', cell: (i) => texts.kindOf[i.kind] ?? i.kind },
  { key: 'owner', header: texts.owner, width: 'minmax(120px, 1fr)', cell: (i) => (i.orphaned ? <span title={i.orphaned}><Tag tone="warn">{i.owner ?? common.none}</Tag></span> : i.owner) },
  { key: 'groups', header: texts.groups, width: 'minmax(100px, 1fr)', narrow: 'hidden', cell: (i) => i.groups.join(', ') },
  { key: 'credentials', header: texts.credentials, width: 'minmax(160px, 1.6fr)', narrow: 'hidden', cell: (i) => <span className="mono">{i.credentials.map(credentialText).join('; ')}</span> },
];

export default function Identities() {
  const [params, change] = useParameters();
  const me = useMe();
  const query = useWanted(ALL);
  const kinds = [{ value: '', label: texts.all }, ...Object.entries(texts.kinds).map(([value, label]) => ({ value, label }))];
  return (
    <ListPage
      words={texts}
      filters={FILTERS}
      csv="/api/v1/identities.csv"
      query={query}
      actions={me.may('inventory:write') && <>
        <Button variant="default" renderRoot={(props: object) => <Link {...props} to={'/identities/import' as never} />}>{texts.import}</Button>
        <Button leftSection={<Icon name="plus" size={14} />} renderRoot={(props: object) => <Link {...props} to={'/identities/new' as never} />}>{texts.create}</Button>
      </>}
      above={<div className="tabs-scroll"><SegmentedControl mb="sm" aria-label={texts.kind} value={params.kind ?? ''} onChange={(kind) => change({ kind: kind || undefined })} data={kinds} /></div>}
    >
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['identities', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/identities', { params: { query: { ...query, sort: 'name', cursor, limit: 100 } as never } }))}
        rowKey={(i) => i.id}
        rowTo={(i) => `/identities/${i.id}`}
        empty={<Nothing query={query} words={texts} />}
      />
    </ListPage>
  );
}
