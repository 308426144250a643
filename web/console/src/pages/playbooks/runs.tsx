/// What playbooks did, step by step.
import { Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { useParameters } from '../../app/search';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Side } from '../../ui/dialog';
import { Facts } from '../../ui/facts';
import { Filters, type Filter } from '../../ui/filters';
import { To } from '../../ui/link';
import { Nothing, useWanted } from '../../ui/list';
import { DataTable, type Column } from '../../ui/table';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';
import { StepList } from './steps';

type Run = Schemas['Run'];

/// Between two looks, in milliseconds.
const REFRESH_MS = 3_000;
const STATES: Record<string, Tone> = { running: 'info', held: 'warn', contained: 'ok', failed: 'bad', released: 'quiet', rehearsed: 'quiet' };

const FILTERS: Filter[] = [
  { key: 'state', label: texts.state, kind: 'select', options: Object.entries(texts.states).map(([value, label]) => ({ value, label })), width: 170 },
  { key: 'playbook', label: texts.playbook, kind: 'text' },
];

function RunDrawer({ of, close }: { of: Run; close: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const settle = useMutation({
    mutationFn: ({ step, reason }: { step: 'release' | 'retry'; reason: string }) => {
      const init = { params: { path: { id: of.id } }, body: { reason } as never };
      return step === 'release' ? ask<unknown>(api.POST('/api/v1/playbooks/runs/{id}/release', init)) : ask<unknown>(api.POST('/api/v1/playbooks/runs/{id}/retry', init));
    },
    onSuccess: () => { tell(texts.did); void queries.invalidateQueries(); close(); },
  });
  const sure = async (step: 'release' | 'retry', title: string, body: string) => {
    const yes = await confirm({ title, body, hits: [of.who], action: step === 'retry' && of.state === 'held' ? texts.approve : texts[step], reason: 'needed' });
    if (yes) settle.mutate({ step, reason: yes.reason });
  };
  return (
    <Side close={close} title={`${of.playbook}: ${of.who}`}>
      <div className="stack">
        <Facts of={[
          [texts.state, <Tag tone={STATES[of.state] ?? 'quiet'} key="s">{texts.states[of.state] ?? of.state} {texts.purposes[of.purpose]}</Tag>],
          [texts.who, of.identity ? <To to={`/identities/${of.identity}`} key="w">{of.who}</To> : of.who],
          [texts.cause, of.cause],
          [texts.began, <Time at={of.began} exact key="b" />],
          [texts.states.released ?? '', of.released_by && `${of.released_by}: ${of.why ?? ''}`],
          [texts.states.held ?? '', of.state === 'held' && of.why],
        ]} />
        <StepList of={of.steps} />
        <Group gap="xs">
          {of.state !== 'released' && of.state !== 'rehearsed' && <Act permission="sessions:change" icon="replay" onClick={() => void sure('release', texts.releaseTitle, texts.releaseBody)}>{texts.release}</Act>}
          {(of.state === 'held' || of.state === 'failed') && <Act permission="sessions:change" variant="filled" icon="play" onClick={() => void sure('retry', of.state === 'held' ? texts.approveTitle : texts.retryTitle, of.state === 'held' ? texts.approveBody : texts.retryBody)}>{of.state === 'held' ? texts.approve : texts.retry}</Act>}
        </Group>
      </div>
    </Side>
  );
}

/// The run that the address names, such as of a quarantine that it made.
function Named({ id, close }: { id: string; close: () => void }) {
  const { data } = useQuery({ queryKey: ['playbooks', 'runs', 'one', id], queryFn: () => ask(api.GET('/api/v1/playbooks/runs/{id}', { params: { path: { id } } })), refetchInterval: REFRESH_MS });
  return data ? <RunDrawer of={data} close={close} /> : null;
}

export function Runs() {
  const [params, change] = useParameters();
  const show = (run: string | undefined) => change({ run });
  const query = useWanted(FILTERS);
  const columns: Column<Run>[] = [
    { key: 'began', header: texts.began, width: '110px', cell: (r) => <Time at={r.began} /> },
    { key: 'who', header: texts.who, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (r) => <button type="button" className="as-link" onClick={() => show(r.id)}>{r.who}</button> },
    { key: 'state', header: texts.state, width: '180px', narrow: 'first', cell: (r) => <Tag tone={STATES[r.state] ?? 'quiet'}>{texts.states[r.state] ?? r.state} {texts.purposes[r.purpose]}</Tag> },
    { key: 'playbook', header: texts.playbook, width: 'minmax(130px, 1fr)', cell: (r) => r.playbook },
    { key: 'cause', header: texts.cause, width: 'minmax(160px, 2fr)', narrow: 'hidden', cell: (r) => <span title={r.cause}>{r.cause}</span> },
    { key: 'steps', header: texts.steps, width: 'minmax(120px, 1fr)', narrow: 'hidden', cell: (r) => r.steps.map((step) => step.step).join(', ') },
  ];
  return (
    <>
      <Filters of={FILTERS} />
      <DataTable
        label={texts.tabs.runs ?? ''}
        columns={columns}
        queryKey={['playbooks', 'runs', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/playbooks/runs', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        refresh={REFRESH_MS}
        rowKey={(r) => r.id}
        empty={<Nothing query={query} words={{ empty: texts.noRuns, emptyHint: texts.noRunsHint }} />}
      />
      {params.run && <Named id={params.run} close={() => show(undefined)} />}
    </>
  );
}
