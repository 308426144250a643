/// Putting the draft in force, after it was seen whom that hits.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { policy as texts } from '../../texts/policy';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { tell, tellProblem } from '../../ui/tell';
import { diffOf } from './diff';
import type { Drafted } from './draft';

type Done = Schemas['Activated'] | Schemas['PolicyProposal'];

/// What follows when a policy came into force, or waits for somebody else.
export function useActivated(draft: Drafted) {
  const queries = useQueryClient();
  return (done: Done) => {
    if ('status' in done) tell(texts.proposed);
    else {
      tell(texts.activated(done.revision));
      draft.discard();
    }
    void queries.invalidateQueries();
  };
}

const said = (profile: string) => (profile === 'denied' ? texts.denied : profile);

export function Activate({ draft, valid }: { draft: Drafted; valid: boolean }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const done = useActivated(draft);
  const activate = useMutation({
    mutationFn: (comment: string) => ask(api.POST('/api/v1/policy/activate', { body: { text: draft.text, tests: draft.tests, comment } as never })),
    onSuccess: done,
  });
  const begin = async () => {
    try {
      const { flows } = await queries.fetchQuery(diffOf(draft.text, 7));
      const hits = flows.map((flow) => texts.activateFlow(said(flow.from), said(flow.to), flow.who_in_all, flow.decisions));
      const body = flows.length > 0 ? texts.activateBody : `${texts.activateBody} ${texts.activateNothing}`;
      const yes = await confirm({ title: texts.activateTitle, body, hits, action: texts.activate, reason: true, danger: flows.some((flow) => flow.to === 'denied') });
      if (yes) activate.mutate(yes.reason);
    } catch (error) {
      tellProblem(error);
    }
  };
  const why = draft.isDraft ? undefined : texts.nothingToActivate;
  return <Act permission="policy:activate" variant="filled" why={why} disabled={!valid} loading={activate.isPending} onClick={() => void begin()}>{texts.activate}</Act>;
}
