/// What somebody wants in force, and who else has to look at it.
import { Group, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { policy as texts } from '../../texts/policy';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { ProblemAlert } from '../../ui/problem';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';
import { diffOf } from './diff';
import type { Drafted } from './draft';

const TONES: Record<string, Tone> = { open: 'info', approved: 'ok', rejected: 'bad' };

export function Proposals({ draft, toDiff }: { draft: Drafted; toDiff: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ['policy', 'proposals'], queryFn: () => ask(api.GET('/api/v1/policy/proposals')) });
  const settle = useMutation({
    mutationFn: ({ id, step, reason }: { id: string; step: 'approve' | 'reject'; reason: string }) => {
      const init = { params: { path: { id }, query: { reason: reason || undefined } } };
      return step === 'approve'
        ? ask<unknown>(api.POST('/api/v1/policy/proposals/{id}/approve', init))
        : ask<unknown>(api.POST('/api/v1/policy/proposals/{id}/reject', init));
    },
    onSuccess: (_, { step }) => { tell(step === 'approve' ? texts.approved : texts.rejected); void queries.invalidateQueries(); },
  });
  const whole = (id: string) => queries.fetchQuery({ queryKey: ['policy', 'proposal', id], queryFn: () => ask(api.GET('/api/v1/policy/proposals/{id}', { params: { path: { id } } })) });
  const open = async (id: string) => {
    const one = await whole(id);
    if (one.text) draft.set({ text: one.text, tests: one.tests ?? draft.tests });
    toDiff();
  };
  const decide = async (one: Schemas['PolicyProposal'], step: 'approve' | 'reject') => {
    const { text } = await whole(one.id);
    const flows = text && step === 'approve' ? (await queries.fetchQuery(diffOf(text, 7))).flows : [];
    const hits = flows.map((flow) => texts.activateFlow(flow.from, flow.to, flow.who_in_all, flow.decisions));
    const yes = await confirm({ title: step === 'approve' ? texts.approveTitle : texts.rejectTitle, body: one.reason, hits, action: step === 'approve' ? texts.approve : texts.reject, danger: step === 'reject', reason: true });
    if (yes) settle.mutate({ id: one.id, step, reason: yes.reason });
  };
  const all = (query.data ?? []) as Schemas['PolicyProposal'][];
  return (
    <div>
      <ProblemAlert error={query.error} />
      {query.data && all.length === 0 && <Empty title={texts.noProposals}>{texts.noProposalsHint}</Empty>}
      <ol className="revisions">
        {all.map((one) => (
          <li key={one.id}>
            <Group justify="space-between" gap="xs">
              <div>
                <Text size="sm"><b>{texts.steps[one.step] ?? one.step}</b> <Tag tone={TONES[one.status] ?? 'quiet'}>{texts.statuses[one.status] ?? one.status}</Tag></Text>
                <Text size="sm" className="anywhere">{one.reason}</Text>
                <Text size="xs" c="dimmed" component="div">{texts.proposalBy(one.proposed_by)}, <Time at={one.proposed_at} exact /> {one.decided_by && `${texts.statuses[one.status]} ${texts.proposalBy(one.decided_by)} ${one.remark ?? ''}`}</Text>
              </div>
              {one.status === 'open' && (
                <Group gap="xs">
                  {one.step === 'activate' && one.revision === null && <Act permission="policy:read" size="compact-sm" onClick={() => void open(one.id)}>{texts.open}</Act>}
                  <Act permission="policy:activate" size="compact-sm" onClick={() => void decide(one, 'approve')}>{texts.approve}</Act>
                  <Act permission="policy:activate" size="compact-sm" onClick={() => void decide(one, 'reject')}>{texts.reject}</Act>
                </Group>
              )}
            </Group>
          </li>
        ))}
      </ol>
    </div>
  );
}
