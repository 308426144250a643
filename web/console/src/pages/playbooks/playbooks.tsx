import { Alert, Tabs, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import '../../ui/lists.css';
import { tell } from '../../ui/tell';
import { Books, Cases, Quarantine } from './others';
import { Runs } from './runs';

/// Between two looks, in milliseconds.
const REFRESH_MS = 3_000;

export default function Playbooks() {
  const [params, change] = useParameters();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const state = useQuery({ queryKey: ['playbooks', 'state'], queryFn: () => ask(api.GET('/api/v1/playbooks/state')), refetchInterval: REFRESH_MS });
  const turn = useMutation({
    mutationFn: ({ to, reason }: { to: 'stop' | 'resume'; reason: string }) => (to === 'stop'
      ? ask(api.POST('/api/v1/playbooks/stop', { body: { reason: reason || texts.stop } as never }))
      : ask(api.POST('/api/v1/playbooks/resume', { body: { reason: reason || texts.resume, held: 'drop' } as never }))),
    onSuccess: (now) => { tell(texts.did); queries.setQueryData(['playbooks', 'state'], now); void queries.invalidateQueries({ queryKey: ['playbooks'] }); },
  });
  const it = state.data;
  const tab = params.tab ?? 'runs';
  return (
    <PageFrame title={texts.title} hint={texts.hint} actions={it && (it.stopped
      ? <Act permission="sessions:change" icon="play" onClick={async () => { const yes = await confirm({ title: texts.resumeTitle, body: texts.resumeBody, action: texts.resume, reason: true }); if (yes) turn.mutate({ to: 'resume', reason: yes.reason }); }}>{texts.resume}</Act>
      : <Act permission="sessions:change" icon="pause" onClick={async () => { const yes = await confirm({ title: texts.stopTitle, body: texts.stopBody, action: texts.stop, danger: true, reason: true }); if (yes) turn.mutate({ to: 'stop', reason: yes.reason }); }}>{texts.stop}</Act>)}>
      {it?.stopped && <Alert color="red" mb="sm" icon={<Icon name="warning" />}>{texts.stopped(it.stopped_by ?? '', it.reason ?? '')}</Alert>}
      {it && !it.stopped && <Text size="sm" c="dimmed" mb="xs">{texts.going(it.open, it.held)}</Text>}
      <Tabs value={tab} onChange={(to) => change({ tab: to === 'runs' ? undefined : to ?? undefined, state: undefined, playbook: undefined })} keepMounted={false}>
        <Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="runs"><Runs /></Tabs.Panel>
        <Tabs.Panel value="books"><Books /></Tabs.Panel>
        <Tabs.Panel value="contained"><Quarantine /></Tabs.Panel>
        <Tabs.Panel value="cases"><Cases /></Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}
