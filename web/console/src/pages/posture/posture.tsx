import { Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { objects, type Compliance } from '../../api/objects';
import { useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { identities } from '../../texts/identities';
import { posture as texts } from '../../texts/posture';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import '../../ui/lists.css';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { DataTable, Rows, type Column } from '../../ui/table';
import { Time } from '../../ui/time';
import { PostureTag } from '../identities/tag';

type View = Schemas['PostureView'];

const FILTERS: Filter[] = [
  { key: 'status', label: texts.status, kind: 'select', options: Object.entries(texts.statuses).map(([value, label]) => ({ value, label })) },
  { key: 'kind', label: texts.kind, kind: 'select', options: Object.entries(identities.kindOf).map(([value, label]) => ({ value, label })) },
];

/// The first finding, and how many more there are.
function Findings({ of }: { of: View }) {
  const first = of.findings[0];
  if (!first) return <Text span size="sm" c="dimmed">{texts.none}</Text>;
  const rest = of.findings.length - 1;
  return <span title={of.findings.map((finding) => `${texts.wanted(finding.check, finding.wanted)}. ${finding.remedy}`).join('\n')}>{texts.wanted(first.check, first.wanted)}{rest > 0 && <Text span size="sm" c="dimmed"> {texts.more(rest)}</Text>}</span>;
}

const COLUMNS: Column<View>[] = [
  { key: 'name', header: texts.name, width: 'minmax(130px, 1fr)', narrow: 'first', cell: (p) => <b>{p.name}</b> },
  { key: 'status', header: texts.status, width: '130px', narrow: 'first', cell: (p) => <PostureTag of={p.status} /> },
  { key: 'kind', header: texts.kind, width: '90px', narrow: 'hidden', cell: (p) => identities.kindOf[p.kind] ?? p.kind },
  { key: 'findings', header: texts.findings, width: 'minmax(180px, 2fr)', cell: (p) => <Findings of={p} /> },
  { key: 'policies', header: texts.policies, width: 'minmax(100px, 1fr)', narrow: 'hidden', cell: (p) => p.policies.join(', ') },
  { key: 'reported', header: texts.reported, width: '110px', narrow: 'hidden', cell: (p) => <Time at={p.reported_at} /> },
];

function State() {
  const [params] = useParameters();
  const query = wanted(params, FILTERS);
  return (
    <>
      <Filters of={FILTERS} />
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['posture', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/posture', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(p) => p.identity}
        rowTo={(p) => `/identities/${p.identity}`}
        empty={<Empty title={Object.keys(query).length > 0 ? common.noneFiltered : texts.empty}>{texts.emptyHint}</Empty>}
      />
    </>
  );
}

/// What one requirement wants, as its document says it.
function requirement(of: Record<string, unknown>): string {
  const { check, severity, grace_secs: grace, remedy: _, ...rest } = of;
  const said = Object.entries(rest).map(([word, value]) => `${word.replaceAll('_', ' ')} ${Array.isArray(value) ? value.join(', ') : String(value)}`).join(', ');
  const extra = [severity && `${texts.severity} ${String(severity)}`, typeof grace === 'number' && texts.grace(Math.round(grace / 3600))].filter(Boolean).join(', ');
  return `${String(check)} ${said}${extra ? ` (${extra})` : ''}`;
}

function Asked() {
  const query = useQuery({ queryKey: ['compliance'], queryFn: () => objects<Schemas['CompliancePolicy']>(ask<unknown>(api.GET('/api/v1/compliance', { params: { query: { limit: 500 } } }))) });
  if (query.data?.items.length === 0) return <Empty title={texts.noPolicies}>{texts.noPoliciesHint}</Empty>;
  return (
    <div className="stack">
      <ProblemAlert error={query.error} />
      {query.data?.items.map((one: Compliance) => (
        <Panel key={one.name} title={one.name}>
          <Text size="sm" c="dimmed" mb={4}>{texts.whom}: {[...(one.kinds ?? []), ...(one.groups ?? [])].join(', ') || texts.everybody}</Text>
          <ul className="plain">{one.checks.map((check, n) => <li key={n} className="mono">{requirement(check as Record<string, unknown>)}</li>)}</ul>
        </Panel>
      ))}
    </div>
  );
}

const CHECKS: Column<Schemas['KnownCheck']>[] = [
  { key: 'name', header: texts.check, width: 'minmax(150px, .7fr)', narrow: 'first', cell: (c) => <b className="mono">{c.name}</b> },
  { key: 'meaning', header: texts.meaning, width: 'minmax(200px, 1.5fr)', cell: (c) => <span title={c.meaning}>{c.meaning}</span> },
  { key: 'remedy', header: texts.remedy, width: 'minmax(180px, 1.5fr)', narrow: 'hidden', cell: (c) => <span title={c.remedy}>{c.remedy}</span> },
];

function Checks() {
  const query = useQuery({ queryKey: ['posture', 'checks'], queryFn: () => ask(api.GET('/api/v1/posture/checks')), staleTime: Infinity });
  return <Rows label={texts.tabs.checks ?? ''} columns={CHECKS} rows={query.data ?? []} busy={query.isPending} rowKey={(c) => c.name} />;
}

export default function Posture() {
  const [params, change] = useParameters();
  const tab = params.tab ?? 'state';
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <Tabs value={tab} onChange={(to) => change({ tab: to === 'state' ? undefined : to ?? undefined, status: undefined, kind: undefined })} keepMounted={false}>
        <Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="state"><State /></Tabs.Panel>
        <Tabs.Panel value="asked"><Asked /></Tabs.Panel>
        <Tabs.Panel value="checks"><Checks /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}
