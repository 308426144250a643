/// All revisions, and the way back to each.
import { Group, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { common } from '../../texts/common';
import { policy as texts } from '../../texts/policy';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { ProblemAlert } from '../../ui/problem';
import { Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';
import type { Drafted } from './draft';
import { useActivated } from './activate';

export function History({ draft, toText }: { draft: Drafted; toText: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const activated = useActivated(draft);
  const query = useQuery({ queryKey: ['policy', 'revisions'], queryFn: () => ask(api.GET('/api/v1/policy/revisions')) });
  const rollback = useMutation({
    mutationFn: (reason: string) => ask(api.POST('/api/v1/policy/rollback', { params: { query: { reason: reason || undefined } } })),
    onSuccess: activated,
  });
  const again = useMutation({
    mutationFn: ({ revision, comment }: { revision: number; comment: string }) => ask(api.POST('/api/v1/policy/activate', { body: { revision, comment } as never })),
    onSuccess: activated,
  });
  const open = async (number: number) => {
    const one = await queries.fetchQuery({ queryKey: ['policy', 'revision', number], queryFn: () => ask(api.GET('/api/v1/policy/revisions/{number}', { params: { path: { number: String(number) } } })) });
    draft.set({ text: one.text ?? '', tests: one.tests ?? '' });
    tell(texts.draft);
    toText();
  };
  const present = query.data?.find((one) => one.in_force);
  return (
    <div>
      <ProblemAlert error={query.error} />
      {query.data?.length === 0 && <Empty title={texts.noHistory}>{texts.noHistoryHint}</Empty>}
      {(query.data?.length ?? 0) > 0 && (
        <Group mb="sm">
          <Act permission="policy:activate" icon="replay" loading={rollback.isPending} onClick={async () => {
            const yes = await confirm({ title: texts.rollbackTitle, body: texts.rollbackBody, hits: present ? [`${texts.revision} ${present.number}: ${present.comment || present.digest}`] : [], action: texts.rollback, reason: true });
            if (yes) rollback.mutate(yes.reason);
          }}>{texts.rollback}</Act>
        </Group>
      )}
      <ol className="revisions">
        {query.data?.map((one) => (
          <li key={one.number} data-testid="revision" data-number={one.number}>
            <Group justify="space-between" gap="xs">
              <div>
                <Text size="sm"><b>{texts.revision} {one.number}</b> {one.in_force && <Tag tone="ok">{texts.now}</Tag>}</Text>
                <Text size="sm" className="anywhere">{one.comment || <Text span c="dimmed">{common.none}</Text>}</Text>
                <Text size="xs" c="dimmed" component="div">{texts.author} {one.author}, <Time at={one.created_at} exact />. {one.activations.map((a) => `${texts.steps[a.step] ?? a.step} (${a.author})`).join(', ') || texts.never}</Text>
              </div>
              <Group gap="xs">
                <Act permission="policy:read" size="compact-sm" onClick={() => void open(one.number)}>{texts.open}</Act>
                {!one.in_force && (
                  <Act permission="policy:activate" size="compact-sm" onClick={async () => {
                    const yes = await confirm({ title: texts.activateTitle, body: texts.activateBody, hits: [`${texts.revision} ${one.number}: ${one.comment}`], action: texts.activate, reason: true });
                    if (yes) again.mutate({ revision: one.number, comment: yes.reason });
                  }}>{texts.again}</Act>
                )}
              </Group>
            </Group>
          </li>
        ))}
      </ol>
    </div>
  );
}
