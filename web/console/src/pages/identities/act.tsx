/// What can be done to an identity.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { identity as texts } from '../../texts/identities';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { tell } from '../../ui/tell';
import { QUARANTINE } from './tag';

type Identity = Schemas['Identity'];

const WRITE = 'inventory:write';

export function IdentityActions({ of }: { of: Identity }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const policy = useQuery({ queryKey: ['policy'], queryFn: () => ask(api.GET('/api/v1/policy')) });
  const path = { id: of.id };
  const again = () => void queries.invalidateQueries();
  const regroup = useMutation({
    mutationFn: ({ groups, reason }: { groups: string[]; reason: string }) =>
      ask(api.PATCH('/api/v1/identities/{id}', { params: { path, query: { reason: reason || undefined } }, body: { groups } as never })),
    onSuccess: ({ item }) => { tell(item.groups.includes(QUARANTINE) ? texts.quarantinedNow : texts.released); again(); },
  });
  const status = useMutation({
    mutationFn: ({ to, reason }: { to: string; reason: string }) =>
      ask(api.POST('/api/v1/identities/{id}/status', { params: { path, query: { reason: reason || undefined } }, body: { status: to } })),
    onSuccess: () => { tell(texts.changed); again(); },
  });
  const revoke = useMutation({
    mutationFn: (reason: string) => ask(api.POST('/api/v1/identities/{id}/revoke', { params: { path }, body: { reason } })),
    onSuccess: ({ certificates }) => { tell(texts.revoked(certificates)); again(); },
  });
  const inside = of.groups.includes(QUARANTINE);
  const ruled = policy.data?.text.includes(`Group::"${QUARANTINE}"`) ?? true;
  const begin = async (title: string, body: string, danger: boolean, act: (reason: string) => void) => {
    const said = await confirm({ title, body, hits: [of.name], action: title, danger, reason: true });
    if (said) act(said.reason);
  };
  const why = of.in_file ? texts.inFile : undefined;
  return (
    <>
      {inside
        ? <Act permission={WRITE} why={why} variant="filled" onClick={() => void begin(texts.release, texts.releaseBody, false, (reason) => regroup.mutate({ groups: of.groups.filter((group) => group !== QUARANTINE), reason }))}>{texts.release}</Act>
        : <Act permission={WRITE} why={why ?? (ruled ? undefined : texts.quarantineUnruled(QUARANTINE))} icon="warning" onClick={() => void begin(texts.quarantine, texts.quarantineBody(QUARANTINE), true, (reason) => regroup.mutate({ groups: [...of.groups, QUARANTINE], reason }))}>{texts.quarantine}</Act>}
      {of.status === 'active'
        ? <Act permission={WRITE} why={why} onClick={() => void begin(texts.suspend, texts.suspendBody, true, (reason) => status.mutate({ to: 'suspended', reason }))}>{texts.suspend}</Act>
        : of.status !== 'retired' && <Act permission={WRITE} why={why} onClick={() => void begin(texts.activate, texts.activateBody, false, (reason) => status.mutate({ to: 'active', reason }))}>{texts.activate}</Act>}
      {of.status === 'suspended' && <Act permission={WRITE} why={why} onClick={() => void begin(texts.retire, texts.retireBody, true, (reason) => status.mutate({ to: 'retired', reason }))}>{texts.retire}</Act>}
      <Act permission={WRITE} why={why} color="red" variant="outline" onClick={() => void begin(texts.revoke, texts.revokeBody, true, (reason) => revoke.mutate(reason || texts.revoke))}>{texts.revoke}</Act>
    </>
  );
}
