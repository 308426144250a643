import { Group, Tabs, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { signals as texts } from '../../texts/signals';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Side } from '../../ui/dialog';
import { Empty } from '../../ui/empty';
import { Facts } from '../../ui/facts';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import '../../ui/lists.css';
import { DataTable, Rows, type Column } from '../../ui/table';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { span, Time } from '../../ui/time';
import { RiskTag } from '../identities/tag';

type Signal = Schemas['Signal'];
type Risk = Schemas['Risk'];

/// Between two looks, in milliseconds.
const REFRESH_MS = 3_000;
const TONES: Record<string, Tone> = { info: 'quiet', low: 'info', medium: 'warn', high: 'bad', critical: 'bad' };
const LEVELS: Filter = { key: 'level', label: texts.level, kind: 'select', options: Object.entries(texts.levels).map(([value, label]) => ({ value, label })) };

const words = (code: string) => code.replaceAll('_', ' ');

const FILTERS: Filter[] = [
  { key: 'kind', label: texts.kind, kind: 'text', placeholder: 'mac_in_two_places', width: 190 },
  { key: 'mac', label: texts.mac, kind: 'text' },
  { key: 'nas', label: texts.nas, kind: 'text' },
  { key: 'source', label: texts.source, kind: 'text' },
  { key: 'since', label: texts.since, kind: 'time' },
];

const about = (s: Signal) => (s.nas && !s.identity && !s.mac ? s.nas.name : (s.mac ?? s.ip) || s.topic || (s.identity ? texts.theIdentity : ''));

function SignalDrawer({ of, close }: { of: Signal; close: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const settle = useMutation({
    mutationFn: ({ step, reason }: { step: 'dismiss' | 'acknowledge'; reason: string }) => {
      const init = { params: { path: { id: of.id } }, body: { reason: reason || words(step) } as never };
      return step === 'dismiss' ? ask<unknown>(api.POST('/api/v1/signals/{id}/dismiss', init)) : ask<unknown>(api.POST('/api/v1/signals/{id}/acknowledge', init));
    },
    onSuccess: (_, { step }) => { tell(texts.done[step] ?? ''); void queries.invalidateQueries(); close(); },
  });
  const decide = async (step: 'dismiss' | 'acknowledge') => {
    const yes = await confirm({ title: step === 'dismiss' ? texts.dismissTitle : texts.acknowledgeTitle, body: step === 'dismiss' ? texts.dismissBody : texts.acknowledgeBody, hits: [`${words(of.kind)}: ${of.detail}`], action: texts[step], reason: true });
    if (yes) settle.mutate({ step, reason: yes.reason });
  };
  return (
    <Side title={words(of.kind)} close={close}>
      <div className="stack">
        <Text size="sm" className="anywhere">{of.detail}</Text>
        <Facts of={[
          [texts.severity, <Tag tone={TONES[of.severity] ?? 'quiet'} key="s">{of.severity}</Tag>],
          [texts.at, <Time at={of.at} exact key="a" />],
          [texts.source, [of.source, of.source_id].filter(Boolean).join(' ')],
          [texts.identity, of.identity && <To to={`/identities/${of.identity}`} key="i">{of.identity}</To>],
          [texts.endpoint, of.endpoint && <To to={`/endpoints/${of.endpoint}`} key="e">{of.mac ?? of.endpoint}</To>],
          [texts.session, of.session && <To to={`/sessions/${of.session}`} key="x">{of.session}</To>],
          [texts.nas, of.nas && <To to={`/nas/${encodeURIComponent(of.nas.name)}`} key="n">{`${of.nas.name} (${of.nas.address})`}</To>],
          [texts.cause, of.cause],
          [texts.remedy, of.remedy],
          ...Object.entries(of.evidence).map(([name, value]): [string, React.ReactNode] => [name, value]),
          [of.settled?.dismissed ? texts.settled.dismissed : texts.settled.seen, of.settled && texts.by(of.settled.by, of.settled.reason)],
        ]} />
        {!of.settled?.dismissed && (
          <Group gap="xs">
            {!of.settled && <Act permission="sessions:change" icon="check" onClick={() => void decide('acknowledge')}>{texts.acknowledge}</Act>}
            <Act permission="sessions:change" icon="cross" onClick={() => void decide('dismiss')}>{texts.dismiss}</Act>
          </Group>
        )}
      </div>
    </Side>
  );
}

function List() {
  const [params] = useParameters();
  const [shown, show] = useState<Signal>();
  const query = wanted(params, FILTERS);
  const columns: Column<Signal>[] = [
    { key: 'at', header: texts.at, width: '110px', cell: (s) => <Time at={s.at} /> },
    { key: 'severity', header: texts.severity, width: '100px', narrow: 'first', cell: (s) => <Tag tone={s.settled?.dismissed ? 'quiet' : TONES[s.severity] ?? 'quiet'}>{s.severity}</Tag> },
    { key: 'kind', header: texts.kind, width: 'minmax(150px, 1fr)', narrow: 'first', cell: (s) => <button type="button" className="as-link" onClick={() => show(s)}>{words(s.kind)}</button> },
    { key: 'about', header: texts.about, width: 'minmax(130px, 1fr)', cell: (s) => (s.identity ? <To to={`/identities/${s.identity}`}>{about(s)}</To> : about(s)) },
    { key: 'detail', header: texts.detail, width: 'minmax(180px, 2.4fr)', narrow: 'hidden', cell: (s) => <span title={s.detail}>{s.detail}</span> },
    { key: 'source', header: texts.source, width: '110px', narrow: 'hidden', cell: (s) => s.source },
    { key: 'settled', header: '', width: '90px', narrow: 'hidden', cell: (s) => s.settled && <Text span size="sm" c="dimmed">{s.settled.dismissed ? texts.settled.dismissed : texts.settled.seen}</Text> },
  ];
  const filtered = Object.keys(query).length > 0;
  return (
    <>
      <Filters of={FILTERS} />
      <DataTable
        label={texts.title}
        columns={columns}
        queryKey={['signals', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/signals', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        refresh={REFRESH_MS}
        rowKey={(s) => s.id}
        empty={<Empty title={filtered ? common.noneFiltered : texts.empty}>{filtered ? common.noneFilteredHint : texts.emptyHint}</Empty>}
      />
      {shown && <SignalDrawer of={shown} close={() => show(undefined)} />}
    </>
  );
}

const RISKS: Column<Risk>[] = [
  { key: 'who', header: texts.who, width: 'minmax(140px, 1fr)', narrow: 'first', cell: (r) => (r.identity ? <To to={`/identities/${r.identity}`}>{r.name ?? r.identity}</To> : <b className="mono">{r.mac}</b>) },
  { key: 'level', header: texts.level, width: '100px', narrow: 'first', cell: (r) => <RiskTag of={r.level} /> },
  { key: 'score', header: texts.score, width: '70px', cell: (r) => r.score.toFixed(1) },
  { key: 'factors', header: texts.factors, width: 'minmax(200px, 3fr)', cell: (r) => <span title={r.factors.map((f) => `${words(f.kind)} ${f.weight}: ${f.detail}`).join('\n')}>{r.factors.map((f) => `${words(f.kind)} ${f.weight.toFixed(1)}`).join(' + ')}</span> },
];

function Risks() {
  const [params] = useParameters();
  const query = wanted(params, [LEVELS]);
  return (
    <>
      <Filters of={[LEVELS]} />
      <DataTable label={texts.tabs.risk ?? ''} columns={RISKS} queryKey={['risk', query]} refresh={REFRESH_MS} fetch={(cursor) => ask(api.GET('/api/v1/risk', { params: { query: { ...query, cursor, limit: 100 } as never } }))} rowKey={(r) => r.identity ?? r.mac ?? ''} empty={<Empty title={texts.noRisk}>{texts.emptyHint}</Empty>} />
    </>
  );
}

const KINDS: Column<Schemas['KnownKind']>[] = [
  { key: 'kind', header: texts.kind, width: 'minmax(170px, .8fr)', narrow: 'first', cell: (k) => <b>{words(k.kind)}</b> },
  { key: 'weight', header: texts.weight, width: '70px', cell: (k) => k.weight },
  { key: 'halves', header: texts.halves, width: '90px', cell: (k) => span(k.half_life_secs) },
  { key: 'cause', header: texts.cause, width: 'minmax(180px, 1.5fr)', narrow: 'hidden', cell: (k) => <span title={k.cause}>{k.cause}</span> },
  { key: 'remedy', header: texts.remedy, width: 'minmax(180px, 1.5fr)', narrow: 'hidden', cell: (k) => <span title={k.remedy}>{k.remedy}</span> },
];

function Kinds() {
  const query = useQuery({ queryKey: ['signals', 'kinds'], queryFn: () => ask(api.GET('/api/v1/signals/kinds')), staleTime: Infinity });
  return <Rows label={texts.tabs.kinds ?? ''} columns={KINDS} rows={query.data ?? []} busy={query.isPending} rowKey={(k) => k.kind} />;
}

export default function Signals() {
  const [params, change] = useParameters();
  const tab = params.tab ?? 'signals';
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <Tabs value={tab} onChange={(to) => change({ tab: to === 'signals' ? undefined : to ?? undefined, kind: undefined, mac: undefined, nas: undefined, source: undefined, since: undefined, level: undefined })} keepMounted={false}>
        <Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="signals"><List /></Tabs.Panel>
        <Tabs.Panel value="risk"><Risks /></Tabs.Panel>
        <Tabs.Panel value="kinds"><Kinds /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}
