import { Alert, Tabs, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { useParameters } from '../../app/search';
import { settings as texts } from '../../texts/settings';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import '../../ui/lists.css';
import { octets } from '../../ui/octets';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';

type Setting = Schemas['Setting'];

/// Between two looks at what changes by itself, in milliseconds.
const REFRESH_MS = 5_000;

const said = (value: unknown): string => {
  if (value === null || value === undefined) return texts.unset;
  return typeof value === 'string' ? value : JSON.stringify(value);
};

const COLUMNS: Column<Setting>[] = [
  { key: 'key', header: texts.key, width: 'minmax(200px, 1fr)', narrow: 'first', cell: (s) => <span className="mono">[{s.section}] <b>{s.key}</b></span> },
  { key: 'value', header: texts.value, width: 'minmax(160px, 1.4fr)', cell: (s) => <span className="mono" title={said(s.value)}>{said(s.value)}</span> },
  { key: 'from', header: texts.from, width: '90px', narrow: 'hidden', cell: (s) => (s.line === null ? <Text span size="sm" c="dimmed">{texts.byDefault}</Text> : texts.line(s.line)) },
  { key: 'effect', header: texts.effect, width: '170px', narrow: 'hidden', cell: (s) => (s.waits_for_restart ? <span title={said(s.in_file)}><Tag tone="warn">{texts.waits}</Tag></span> : texts.effects[s.takes_effect] ?? s.takes_effect) },
];

function List() {
  const [params, change] = useParameters();
  const query = useQuery({ queryKey: ['settings'], queryFn: () => ask(api.GET('/api/v1/settings')), refetchInterval: REFRESH_MS });
  const wanted = (params.q ?? '').toLowerCase();
  const rows = (query.data?.settings ?? []).filter((s) => `${s.section}.${s.key} ${said(s.value)}`.toLowerCase().includes(wanted));
  const waiting = (query.data?.settings ?? []).filter((s) => s.waits_for_restart).length;
  return (
    <div className="stack">
      <ProblemAlert error={query.error} />
      {query.data && <Text size="sm" c="dimmed" className="anywhere">{texts.file(query.data.file)}</Text>}
      {waiting > 0 && <Alert color="yellow">{texts.waiting(waiting)}</Alert>}
      <TextInput name="q" label={texts.find} w={240} value={params.q ?? ''} onChange={(e) => change({ q: e.currentTarget.value || undefined })} />
      <Rows label={texts.title} columns={COLUMNS} rows={rows} busy={query.isPending} rowKey={(s) => `${s.section}.${s.key}`} />
    </div>
  );
}

function Storage() {
  const query = useQuery({ queryKey: ['storage'], queryFn: () => ask(api.GET('/api/v1/storage')), refetchInterval: REFRESH_MS });
  const it = query.data;
  if (!it) return <ProblemAlert error={query.error} />;
  const size = (n: number | null) => (n === null ? texts.unknown : octets(n));
  const columns: Column<Schemas['Family']>[] = [
    { key: 'family', header: texts.records, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (f) => <b>{f.family.replaceAll('_', ' ')}</b> },
    { key: 'rows', header: texts.rows, width: '130px', cell: (f) => f.rows.toLocaleString('en') },
    { key: 'size', header: texts.size, width: '110px', cell: (f) => size(f.octets) },
    { key: 'since', header: texts.since, width: '130px', cell: (f) => <Time at={f.since} /> },
  ];
  return (
    <div className="stack">
      {!it.journal.database_takes_records && <Alert color="red">{texts.away}</Alert>}
      <Panel title={texts.storage}>
        <Facts of={[[texts.database, size(it.database_octets)], [texts.journal, octets(it.journal.octets)], [texts.behind, it.journal.records_behind.toLocaleString('en')]]} />
      </Panel>
      <Rows label={texts.storage} columns={columns} rows={it.families} rowKey={(f) => f.family} />
    </div>
  );
}

export default function Settings() {
  const [params, change] = useParameters();
  const tab = params.tab ?? 'settings';
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <Tabs value={tab} onChange={(to) => change({ tab: to === 'settings' ? undefined : to ?? undefined, q: undefined })} keepMounted={false}>
        <Tabs.List mb="sm"><Tabs.Tab value="settings">{texts.title}</Tabs.Tab><Tabs.Tab value="storage">{texts.storage}</Tabs.Tab></Tabs.List>
        <Tabs.Panel value="settings"><List /></Tabs.Panel>
        <Tabs.Panel value="storage"><Storage /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}
