import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { shared as texts } from '../../texts/shared';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import '../../ui/lists.css';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';

type Transmitter = Schemas['Transmitter'];
type Stream = Schemas['Stream'];

/// Between two looks, in milliseconds.
const REFRESH_MS = 5_000;

/// Whether the latest thing that was heard of is a failure.
const failing = (failed: string | null, succeeded: string | null) => failed !== null && (succeeded === null || failed > succeeded);

function Standing({ failed, succeeded }: { failed: string | null; succeeded: string | null }) {
  if (failing(failed, succeeded)) return <Tag tone="bad">{texts.failing}</Tag>;
  return succeeded ? <Tag tone="ok">{texts.good}</Tag> : <Tag tone="quiet">{texts.quiet}</Tag>;
}

const TRANSMITTERS: Column<Transmitter>[] = [
  { key: 'name', header: texts.name, width: 'minmax(110px, 1fr)', narrow: 'first', cell: (t) => <b>{t.name}</b> },
  { key: 'state', header: texts.state, width: '120px', narrow: 'first', cell: (t) => <Standing failed={t.failed} succeeded={t.last} /> },
  { key: 'issuer', header: texts.issuer, width: 'minmax(140px, 1.4fr)', cell: (t) => <span className="mono">{t.issuer}</span> },
  { key: 'how', header: texts.delivery, width: '120px', narrow: 'hidden', cell: (t) => [t.pushes && texts.push, t.polled && texts.poll].filter(Boolean).join(', ') },
  { key: 'sessions', header: texts.sessions, width: '150px', narrow: 'hidden', cell: (t) => texts.ends[t.end_sessions] ?? t.end_sessions },
  { key: 'taken', header: texts.taken, width: '80px', narrow: 'hidden', cell: (t) => t.taken.toLocaleString('en') },
  { key: 'refused', header: texts.refused, width: '80px', narrow: 'hidden', cell: (t) => t.refused.toLocaleString('en') },
  { key: 'last', header: texts.last, width: '110px', cell: (t) => <Time at={t.last} /> },
];

const STREAMS: Column<Stream>[] = [
  { key: 'owner', header: texts.owner, width: 'minmax(110px, 1fr)', narrow: 'first', cell: (s) => <b title={s.description ?? ''}>{s.owner}</b> },
  { key: 'state', header: texts.state, width: '120px', narrow: 'first', cell: (s) => (s.status === 'enabled' ? <Standing failed={s.last_failure} succeeded={s.last_success} /> : <Tag tone="quiet">{s.status}</Tag>) },
  { key: 'how', header: texts.delivery, width: 'minmax(120px, 1.2fr)', cell: (s) => (s.push ? <span className="mono">{s.push}</span> : texts.polls) },
  { key: 'events', header: texts.events, width: 'minmax(140px, 1.4fr)', narrow: 'hidden', cell: (s) => <span title={s.events.join('\n')}>{s.events.map((event) => event.split('/').at(-1)).join(', ')}</span> },
  { key: 'delivered', header: texts.delivered, width: '90px', narrow: 'hidden', cell: (s) => s.delivered.toLocaleString('en') },
  { key: 'waiting', header: texts.waiting, width: '80px', narrow: 'hidden', cell: (s) => s.waiting.toLocaleString('en') },
  { key: 'dead', header: texts.dead, width: '80px', narrow: 'hidden', cell: (s) => s.dead.toLocaleString('en') },
  { key: 'last', header: texts.last, width: '110px', cell: (s) => <Time at={s.last_success} /> },
];

export default function Shared() {
  const transmitters = useQuery({ queryKey: ['ssf', 'transmitters'], queryFn: () => ask(api.GET('/api/v1/ssf/transmitters')), refetchInterval: REFRESH_MS });
  const streams = useQuery({ queryKey: ['ssf', 'streams'], queryFn: () => ask(api.GET('/api/v1/ssf/streams')), refetchInterval: REFRESH_MS });
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <ProblemAlert error={transmitters.error ?? streams.error} />
      <div className="stack">
        <Panel title={texts.transmitters}><Rows label={texts.transmitters} columns={TRANSMITTERS} rows={transmitters.data ?? []} busy={transmitters.isPending} rowKey={(t) => t.name} empty={<Empty title={texts.noTransmitters}>{texts.noTransmittersHint}</Empty>} /></Panel>
        <Panel title={texts.streams}><Rows label={texts.streams} columns={STREAMS} rows={streams.data ?? []} busy={streams.isPending} rowKey={(s) => s.id} empty={<Empty title={texts.noStreams}>{texts.noStreamsHint}</Empty>} /></Panel>
      </div>
    </PageFrame>
  );
}
