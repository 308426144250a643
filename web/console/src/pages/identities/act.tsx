/// What can be done to an identity.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { containments as quarantineTexts } from '../../texts/containments';
import { identity as texts } from '../../texts/identities';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { tell } from '../../ui/tell';
import { ending, useContainments, useQuarantine, useRelease } from './containments';

type Identity = Schemas['Identity'];

const WRITE = 'inventory:write';

export function IdentityActions({ of }: { of: Identity }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const path = { id: of.id };
  const again = () => void queries.invalidateQueries();
  const status = useMutation({
    mutationFn: ({ to, reason }: { to: string; reason: string }) =>
      ask(api.POST('/api/v1/identities/{id}/status', { params: { path, query: { reason: reason || undefined } }, body: { status: to } })),
    onSuccess: () => { tell(texts.changed); again(); },
  });
  const revoke = useMutation({
    mutationFn: (reason: string) => ask(api.POST('/api/v1/identities/{id}/revoke', { params: { path }, body: { reason } })),
    onSuccess: ({ certificates }) => { tell(texts.revoked(certificates)); again(); },
  });
  const contained = useContainments(of.id).data?.items ?? [];
  const quarantine = useQuarantine();
  const release = useRelease();
  const begin = async (title: string, body: string, danger: boolean, act: (reason: string) => void) => {
    const said = await confirm({ title, body, hits: [of.name], action: title, danger, reason: true });
    if (said) act(said.reason);
  };
  const why = of.in_file ? texts.inFile : undefined;
  return (
    <>
      {contained.length > 0
        ? <Act permission={contained.some((one) => ending(one) === 'sessions:change') ? 'sessions:change' : 'sessions:help'} variant="filled" onClick={() => void release(of.name, contained)}>{quarantineTexts.end}</Act>
        : <Act permission="sessions:help" icon="warning" onClick={() => void quarantine(of)}>{quarantineTexts.begin}</Act>}
      {of.status === 'active'
        ? <Act permission={WRITE} why={why} onClick={() => void begin(texts.suspend, texts.suspendBody, true, (reason) => status.mutate({ to: 'suspended', reason }))}>{texts.suspend}</Act>
        : of.status !== 'retired' && <Act permission={WRITE} why={why} onClick={() => void begin(texts.activate, texts.activateBody, false, (reason) => status.mutate({ to: 'active', reason }))}>{texts.activate}</Act>}
      {of.status === 'suspended' && <Act permission={WRITE} why={why} onClick={() => void begin(texts.retire, texts.retireBody, true, (reason) => status.mutate({ to: 'retired', reason }))}>{texts.retire}</Act>}
      <Act permission={WRITE} why={why} color="red" variant="outline" onClick={() => void begin(texts.revoke, texts.revokeBody, true, (reason) => revoke.mutate(reason || texts.revoke))}>{texts.revoke}</Act>
    </>
  );
}
