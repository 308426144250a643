import { Button, SegmentedControl } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { stringifySearch, useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { identities as texts } from '../../texts/identities';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { credentialText, QUARANTINE, StatusTag } from './tag';

type Identity = Schemas['Page_Identity']['items'][number];

const FILTERS: Filter[] = [
  { key: 'name', label: texts.name, kind: 'text', placeholder: texts.nameHint, width: 200 },
  { key: 'status', label: texts.status, kind: 'select', width: 120, options: Object.entries(texts.statuses).map(([value, label]) => ({ value, label })) },
  { key: 'group', label: texts.group, kind: 'text', width: 130 },
  { key: 'owner', label: texts.owner, kind: 'text', width: 160 },
  { key: 'orphaned', label: texts.orphaned, kind: 'select', width: 130, options: [{ value: 'true', label: texts.orphanedYes }, { value: 'false', label: texts.orphanedNo }] },
];
const KIND: Filter = { key: 'kind', label: texts.kind, kind: 'text' };

const COLUMNS: Column<Identity>[] = [
  { key: 'name', header: texts.name, width: 'minmax(150px, 1.4fr)', narrow: 'first', cell: (i) => <b>{i.name}</b> },
  { key: 'status', header: texts.status, width: '110px', narrow: 'first', cell: (i) => (i.groups.includes(QUARANTINE) ? <Tag tone="warn">{QUARANTINE}</Tag> : <StatusTag of={i.status} />) },
  { key: 'kind', header: texts.kind, width: '90px', cell: (i) => texts.kindOf[i.kind] ?? i.kind },
  { key: 'owner', header: texts.owner, width: 'minmax(120px, 1fr)', cell: (i) => (i.orphaned ? <span title={i.orphaned}><Tag tone="warn">{i.owner ?? common.none}</Tag></span> : i.owner) },
  { key: 'groups', header: texts.groups, width: 'minmax(100px, 1fr)', narrow: 'hidden', cell: (i) => i.groups.join(', ') },
  { key: 'credentials', header: texts.credentials, width: 'minmax(160px, 1.6fr)', narrow: 'hidden', cell: (i) => <span className="mono">{i.credentials.map(credentialText).join('; ')}</span> },
];

export default function Identities() {
  const [params, change] = useParameters();
  const me = useMe();
  const query = useMemo(() => wanted(params, [KIND, ...FILTERS]), [params]);
  const filtered = Object.keys(query).length > 0;
  return (
    <PageFrame
      title={texts.title}
      hint={texts.hint}
      full
      actions={<>
        <Button variant="default" component="a" href={`/api/v1/identities.csv${stringifySearch(query)}`} leftSection={<Icon name="download" size={14} />}>{texts.export}</Button>
        {me.may('inventory:write') && <Button variant="default" renderRoot={(props: object) => <Link {...props} to={'/identities/import' as never} />}>{texts.import}</Button>}
        {me.may('inventory:write') && <Button leftSection={<Icon name="plus" size={14} />} renderRoot={(props: object) => <Link {...props} to={'/identities/new' as never} />}>{texts.create}</Button>}
      </>}
    >
      <div className="tabs-scroll">
        <SegmentedControl mb="sm" aria-label={texts.kind} value={params.kind ?? ''} onChange={(kind) => change({ kind: kind || undefined })} data={[{ value: '', label: texts.all }, ...Object.entries(texts.kinds).map(([value, label]) => ({ value, label }))]} />
      </div>
      <Filters of={FILTERS} />
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['identities', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/identities', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(i) => i.id}
        rowTo={(i) => `/identities/${i.id}`}
        empty={<Empty title={filtered ? common.noneFiltered : texts.empty}>{filtered ? common.noneFilteredHint : texts.emptyHint}</Empty>}
      />
    </PageFrame>
  );
}
