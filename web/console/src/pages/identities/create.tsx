import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { identityForm as texts } from '../../texts/identities';
import { PageFrame } from '../../ui/heading';
import { tell } from '../../ui/tell';
import { bodyOf, EMPTY, IdentityForm, type Draft } from './form';
import { useGroups } from './groups';

export default function Create() {
  const [params] = useParameters();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const groups = useGroups();
  const create = useMutation({
    mutationFn: ({ draft, reason }: { draft: Draft; reason: string }) => ask(api.POST('/api/v1/identities', { params: { query: { reason: reason || undefined } }, body: bodyOf(draft) })),
    meta: { shown: true },
    onSuccess: ({ item }) => {
      tell(texts.made(item.name));
      void queries.invalidateQueries();
      void navigate({ to: `/identities/${item.id}` as never });
    },
  });
  // An endpoint that is adopted brings its MAC address with it.
  const begin: Draft = { ...EMPTY, kind: params.kind ?? EMPTY.kind, name: params.name ?? '', credential: params.mac ? 'mac' : '', value: params.mac ?? '' };
  return (
    <PageFrame title={params.mac ? texts.adopt : texts.create}>
      <IdentityForm begin={begin} groups={groups} isNew busy={create.isPending} error={create.error} save={(draft, reason) => create.mutate({ draft, reason })} cancel={() => history.back()} />
    </PageFrame>
  );
}
