import { Group, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { changes as texts } from '../../texts/changes';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import type { Filter } from '../../ui/filters';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import { BY } from '../../ui/network';
import '../../ui/lists.css';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { DataTable, type Column } from '../../ui/table';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { span, Time } from '../../ui/time';

type Change = Schemas['Page_Change']['items'][number];
type Wave = Schemas['Page_Wave']['items'][number];

const REFRESH_MS = 3_000;
/// Waves that are shown: those that go on are the latest.
const WAVES = 5;

const TONES: Record<string, Tone> = { waiting: 'info', done: 'ok', refused: 'bad', unanswered: 'bad', untold: 'bad', held: 'warn', going: 'info', over: 'ok', aborted: 'quiet' };

const FILTERS: Filter[] = [
  { key: 'state', label: texts.state, kind: 'select', width: 150, options: Object.entries(texts.states).map(([value, label]) => ({ value, label })) },
  BY.nas,
];

const seconds = (from: string, to: string) => (new Date(to).getTime() - new Date(from).getTime()) / 1000;

const COLUMNS: Column<Change>[] = [
  { key: 'when', header: texts.when, width: '110px', cell: (c) => <Time at={c.created_at} /> },
  { key: 'who', header: texts.who, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (c) => c.who },
  { key: 'state', header: texts.state, width: '130px', narrow: 'first', cell: (c) => <Tag tone={TONES[c.state] ?? 'quiet'}>{texts.states[c.state] ?? c.state}</Tag> },
  { key: 'what', header: texts.what, width: 'minmax(160px, 1.6fr)', cell: (c) => <span title={c.detail}>{c.detail}</span> },
  { key: 'nas', header: texts.nas, width: 'minmax(100px, .8fr)', narrow: 'hidden', cell: (c) => c.nas },
  { key: 'answer', header: texts.answer, width: 'minmax(120px, 1fr)', narrow: 'hidden', cell: (c) => { const last = c.attempts.at(-1); return last && `${last.result} ${last.error ?? ''}`; } },
  { key: 'took', header: texts.took, width: '90px', narrow: 'hidden', cell: (c) => c.ended_at && (seconds(c.noticed_at, c.ended_at) < 1 ? `${Math.round(seconds(c.noticed_at, c.ended_at) * 1000)} ms` : span(seconds(c.noticed_at, c.ended_at))) },
];

function Waves() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const { data, error } = useQuery({ queryKey: ['waves'], queryFn: () => ask(api.GET('/api/v1/waves', { params: { query: { limit: WAVES } } })), refetchInterval: REFRESH_MS });
  const act = useMutation({
    mutationFn: ({ id, what }: { id: string; what: 'abort' | 'release' }) => ask(api.POST(`/api/v1/waves/{id}/${what}`, { params: { path: { id } } })),
    onSuccess: (_, { what }) => { tell(what === 'abort' ? texts.stopped : texts.released); void queries.invalidateQueries({ queryKey: ['waves'] }); },
  });
  const begin = async (wave: Wave, what: 'abort' | 'release') => {
    const title = what === 'abort' ? texts.abort : texts.release;
    const body = what === 'abort' ? texts.abortBody : texts.releaseBody;
    if (await confirm({ title, body, hits: [`${wave.detail}: ${texts.sessions(wave.sessions)}`], action: title, danger: true })) act.mutate({ id: wave.id, what });
  };
  if (!error && !data?.items.length) return null;
  return (
    <Panel title={texts.waves}>
      <Text size="xs" c="dimmed" mb="xs">{texts.wavesHint}</Text>
      <ProblemAlert error={error} />
      <ul className="plain waves">
        {data?.items.map((wave) => (
          <li key={wave.id}>
            <div>{wave.detail}<Text size="xs" c="dimmed">{wave.trigger.replaceAll('_', ' ')}, <Time at={wave.created_at} /></Text></div>
            <Tag tone={TONES[wave.state] ?? 'quiet'}>{texts.waveState[wave.state] ?? wave.state}</Tag>
            <span>{texts.progress(Object.values(wave.over).reduce((a, b) => a + b, 0), wave.sessions)}</span>
            <Group gap="xs" wrap="nowrap">
              {wave.state === 'held' && <Act permission="sessions:change" onClick={() => void begin(wave, 'release')}>{texts.release}</Act>}
              {(wave.state === 'held' || wave.state === 'going') && <Act permission="sessions:change" color="red" variant="outline" onClick={() => void begin(wave, 'abort')}>{texts.abort}</Act>}
            </Group>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export default function Changes() {
  const query = useWanted(FILTERS);
  return (
    <ListPage words={texts} filters={FILTERS} above={<div className="mb"><Waves /></div>}>
      <DataTable
        label={texts.title}
        columns={COLUMNS}
        queryKey={['changes', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/changes', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(c) => c.id}
        rowTo={(c) => `/sessions/${c.session}`}
        refresh={REFRESH_MS}
        empty={<Nothing query={query} words={texts} />}
      />
    </ListPage>
  );
}
