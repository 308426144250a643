import { Alert, NativeSelect, Tabs, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import '../../ui/lists.css';
import { tell } from '../../ui/tell';
import { Books } from './books';
import { Cases, Quarantine } from './others';
import { Runs } from './runs';

/// Between two looks, in milliseconds.
const REFRESH_MS = 3_000;

export default function Playbooks() {
  const [params, change] = useParameters();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const state = useQuery({ queryKey: ['playbooks', 'state'], queryFn: () => ask(api.GET('/api/v1/playbooks/state')), refetchInterval: REFRESH_MS });
  const turn = useMutation({
    mutationFn: ({ to, reason, held = 'drop' }: { to: 'stop' | 'resume'; reason: string; held?: string }) => (to === 'stop'
      ? ask(api.POST('/api/v1/playbooks/stop', { body: { reason } as never }))
      : ask(api.POST('/api/v1/playbooks/resume', { body: { reason, held } as never }))),
    onSuccess: (now) => { tell(texts.did); queries.setQueryData(['playbooks', 'state'], now); void queries.invalidateQueries({ queryKey: ['playbooks'] }); },
  });
  const held = useRef('drop');
  const it = state.data;
  const tab = params.tab ?? 'runs';
  const stop = async () => {
    const yes = await confirm({ title: texts.stopTitle, body: texts.stopBody, action: texts.stop, danger: true, reason: 'needed' });
    if (yes) turn.mutate({ to: 'stop', reason: yes.reason });
  };
  const resume = async (waiting: number) => {
    held.current = 'drop';
    const body = <>{texts.resumeBody}<NativeSelect name="held" mt="xs" label={texts.heldLabel(waiting)} data={Object.entries(texts.heldRuns).map(([value, label]) => ({ value, label }))} onChange={(e) => { held.current = e.currentTarget.value; }} /></>;
    const yes = await confirm({ title: texts.resumeTitle, body, action: texts.resume, reason: 'needed' });
    if (yes) turn.mutate({ to: 'resume', reason: yes.reason, held: held.current });
  };
  return (
    <PageFrame title={texts.title} hint={texts.hint} actions={it && (it.stopped
      ? <Act permission="sessions:change" icon="play" variant="filled" onClick={() => void resume(it.held)}>{texts.resume}</Act>
      : <Act permission="sessions:change" icon="pause" color="red" variant="outline" onClick={() => void stop()}>{texts.stop}</Act>)}>
      {it?.stopped && <Alert color="red" mb="sm" icon={<Icon name="warning" />}>{texts.stopped(it.stopped_by ?? '', it.reason ?? '')}</Alert>}
      {it && !it.stopped && <Text size="sm" c="dimmed" mb="xs">{texts.going(it.open, it.held)}</Text>}
      <Tabs value={tab} onChange={(to) => change({ tab: to === 'runs' ? undefined : to ?? undefined, state: undefined, playbook: undefined, run: undefined })} keepMounted={false}>
        <div className="tabs-scroll"><Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List></div>
        <Tabs.Panel value="runs"><Runs /></Tabs.Panel>
        <Tabs.Panel value="books"><Books /></Tabs.Panel>
        <Tabs.Panel value="contained"><Quarantine /></Tabs.Panel>
        <Tabs.Panel value="cases"><Cases /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}
