/// Quarantine: who has put an identity there, why, until when, and the way out.
import { Alert, NativeSelect, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { containments as texts } from '../../texts/containments';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Icon } from '../../ui/icons';
import { To } from '../../ui/link';
import '../../ui/lists.css';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';

export type Containment = Schemas['Containment'];

/// How often is asked whether it goes on, in milliseconds.
const REFRESH_MS = 2_000;
/// The profile that the help desk may give and take, too.
const PLAIN = 'quarantine';

/// What one must be allowed to, to end it.
export const ending = (of: Containment): string => (of.run !== null || of.profile !== PLAIN ? 'sessions:change' : 'sessions:help');

export const useContainments = (identity: string) => useQuery({
  queryKey: ['containments', 'of', identity],
  queryFn: () => ask(api.GET('/api/v1/containments', { params: { query: { identity, limit: 100 } } })),
  refetchInterval: REFRESH_MS,
});

/// Puts an identity in quarantine, after it was asked why and for how long.
export function useQuarantine() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const secs = useRef('');
  const begin = useMutation({
    mutationFn: ({ id, reason, secs }: { id: string; reason: string; secs: number | null }) => ask(api.POST('/api/v1/identities/{id}/quarantine', { params: { path: { id } }, body: { reason, secs } as never })),
    onSuccess: () => { tell(texts.begun); void queries.invalidateQueries(); },
  });
  return async (identity: { id: string; name: string }) => {
    secs.current = '';
    const until = <>{texts.beginBody}<NativeSelect name="secs" mt="xs" label={texts.howLong} data={texts.spans.map(([value, label]) => ({ value, label }))} onChange={(e) => { secs.current = e.currentTarget.value; }} /></>;
    const said = await confirm({ title: texts.begin, body: until, hits: [identity.name], action: texts.begin, danger: true, reason: 'needed' });
    if (said) begin.mutate({ id: identity.id, reason: said.reason, secs: Number(secs.current) || null });
  };
}

/// Ends quarantines, after it was asked why.
export function useRelease() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: async ({ all, reason }: { all: Containment[]; reason: string }) => {
      for (const { id } of all) await ask<unknown>(api.POST('/api/v1/containments/{id}/release', { params: { path: { id } }, body: { reason } as never }));
    },
    onSuccess: () => tell(texts.ended),
    onSettled: () => queries.invalidateQueries(),
  });
  return async (who: string, all: Containment[]) => {
    const said = await confirm({ title: texts.end, body: texts.endBody, hits: [who], action: texts.end, reason: 'needed' });
    if (said) end.mutate({ all, reason: said.reason });
  };
}

/// The quarantines of an identity; nothing, if there are none.
export function Contained({ name, query }: { name: string; query: ReturnType<typeof useContainments> }) {
  const release = useRelease();
  const all = query.data?.items ?? [];
  if (query.error) return <div className="span-12"><ProblemAlert error={query.error} /></div>;
  if (all.length === 0) return null;
  return (
    <Alert className="span-12" color="yellow" icon={<Icon name="warning" />} title={texts.inside} data-testid="quarantined">
      <ul className="plain waves">
        {all.map((one) => (
          <li key={one.id} data-testid="containment">
            <div>
              {one.cause}
              <Text size="sm" c="dimmed">{texts.by} {one.run ? <To underline="always" to="/playbooks" search={{ run: one.run }}>{one.by}</To> : one.by}, <Time at={one.since} />. {texts.profile} {one.profile}. {one.until ? <>{texts.endsBy} <Time at={one.until} /></> : texts.untilReleased}</Text>
            </div>
            <Act permission={ending(one)} size="compact-sm" onClick={() => void release(name, [one])}>{texts.endOne}</Act>
          </li>
        ))}
      </ul>
    </Alert>
  );
}
