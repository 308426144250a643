/// A look at the whole log, watched while it is under way.
import { Alert, List, Progress, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { audit as texts } from '../../texts/audit';
import { Act } from '../../ui/act';
import { Panel } from '../../ui/panel';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';

/// Between two looks while it is under way, in milliseconds.
const LOOK_MS = 500;

export function Verify() {
  const queries = useQueryClient();
  const query = useQuery({
    queryKey: ['audit', 'verify'],
    queryFn: () => ask(api.GET('/api/v1/audit/verify')),
    refetchInterval: (it) => (it.state.data?.state === 'running' ? LOOK_MS : false),
  });
  const begin = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/audit/verify')),
    onSuccess: (state) => queries.setQueryData(['audit', 'verify'], state),
  });
  const it = query.data;
  const running = it?.state === 'running';
  return (
    <Panel className="verify">
      <div className="verify-line" role="status" data-testid="verification" data-state={it?.state}>
        <Act permission="audit:read" icon="check" loading={running || begin.isPending} onClick={() => begin.mutate()}>{texts.verify}</Act>
        {it?.state === 'never' && <Text size="sm" c="dimmed">{texts.states.never}</Text>}
        {running && <Text size="sm">{texts.verifying(it.events, it.of ?? 0)}</Text>}
        {it?.state === 'intact' && <><Tag tone="ok"><b>{texts.states.intact}</b></Tag><Text size="sm">{texts.intact(it.events, it.confirmed, it.checkpoints)} <Text span c="dimmed" size="sm">{texts.verifiedAt} <Time at={it.ended_at} />.</Text></Text></>}
      </div>
      {running && <Progress value={it.of ? (it.events / it.of) * 100 : 0} mt="xs" aria-label={texts.states.running} />}
      {it?.state === 'failed' && <Alert color="red" mt="xs" title={texts.states.failed}>{it.error}</Alert>}
      {it?.state === 'not_intact' && (
        <Alert color="red" mt="xs" title={texts.states.not_intact}>
          <Text size="sm">{texts.faults(it.fault_count)}</Text>
          <List size="sm">{it.faults.map((fault) => <List.Item key={fault}>{fault}</List.Item>)}</List>
          <Text size="sm" c="dimmed">{texts.whatNow}</Text>
        </Alert>
      )}
    </Panel>
  );
}
