/// A case: what was said of it, and what was known when it was opened.
import { Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Side } from '../../ui/dialog';
import { Facts } from '../../ui/facts';
import { Icon } from '../../ui/icons';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Outcome, Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';

export type Case = Schemas['Case'];

export const CaseTag = ({ of }: { of: Case }) => <Tag tone={of.state === 'open' ? 'warn' : 'quiet'}>{of.state === 'open' ? texts.open : texts.closed}</Tag>;

/// What is in the bundle of a case, as far as it is shown here; all of it is in the file.
interface Evidence {
  collected_at?: string;
  identity?: { kind: string; name: string; owner?: string; purpose?: string; status: string } | null;
  risk?: { level: string; score: number };
  posture?: { status?: string } | null;
  policy_revision?: string;
  signals?: { id: string; at: string; kind: string; severity: string; source: string; detail: string }[];
  decisions?: { id: string; at: string; outcome: string; profile?: string | null; reason?: string }[];
  sessions?: { id: string; state: string; nas: string; profile?: string | null; started_at: string }[];
}

function Bundle({ of }: { of: Case }) {
  const query = useQuery({ queryKey: ['cases', of.id, 'evidence'], queryFn: async () => (await ask<unknown>(api.GET('/api/v1/cases/{id}/evidence', { params: { path: { id: of.id } } }))) as Evidence, staleTime: Infinity });
  const it = query.data;
  return (
    <Panel title={texts.evidence} actions={<Button component="a" size="compact-sm" variant="default" leftSection={<Icon name="download" size={13} />} href={`/api/v1/cases/${of.id}/evidence`} download={`case-${of.id}.json`}>{texts.download}</Button>}>
      <ProblemAlert error={query.error} />
      {it && (
        <Stack gap="xs" data-testid="evidence">
          <Facts of={[
            [texts.collected, it.collected_at && <Time at={it.collected_at} exact />],
            [texts.about, it.identity && `${it.identity.name} (${it.identity.kind}, ${it.identity.status})`],
            [texts.owner, it.identity?.owner],
            [texts.purpose, it.identity?.purpose],
            [texts.risk, it.risk && `${it.risk.level}, ${it.risk.score.toFixed(0)}`],
            [texts.posture, it.posture?.status],
            [texts.policy, it.policy_revision],
          ]} />
          <Told title={texts.signals} of={(it.signals ?? []).map((s) => [s.id, <><b>{s.kind.replaceAll('_', ' ')}</b> {s.severity}, {s.source}. {s.detail} <Time at={s.at} /></>])} />
          <Told title={texts.decisions} of={(it.decisions ?? []).map((d) => [d.id, <><To underline="always" to={`/decisions/${d.id}`}><Time at={d.at} exact /></To> <Outcome of={d.outcome} /> {d.profile}</>])} />
          <Told title={texts.sessions} of={(it.sessions ?? []).map((s) => [s.id, <><To underline="always" to={`/sessions/${s.id}`}>{s.nas}</To> {s.state} {s.profile} <Time at={s.started_at} /></>])} />
        </Stack>
      )}
    </Panel>
  );
}

/// Rows that are shown of each sort; the file has all.
const SHOWN = 8;

function Told({ title, of }: { title: string; of: [string, React.ReactNode][] }) {
  return (
    <div>
      <Text size="sm" fw={600}>{title} ({of.length})</Text>
      <ul className="plain">{of.slice(0, SHOWN).map(([key, said]) => <li key={key} className="anywhere">{said}</li>)}</ul>
    </div>
  );
}

export function CaseDrawer({ of, close }: { of: Case; close: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const query = useQuery({ queryKey: ['cases', of.id], queryFn: () => ask(api.GET('/api/v1/cases/{id}', { params: { path: { id: of.id } } })), initialData: of });
  const it = query.data;
  const say = useMutation({
    mutationFn: ({ text, over }: { text: string; over: boolean }) => {
      const init = { params: { path: { id: of.id } }, body: { text } as never };
      return over ? ask(api.POST('/api/v1/cases/{id}/close', init)) : ask(api.POST('/api/v1/cases/{id}/comments', init));
    },
    onSuccess: (now) => { tell(texts.did); setText(''); queries.setQueryData(['cases', of.id], now); void queries.invalidateQueries({ queryKey: ['cases'] }); },
  });
  return (
    <Side close={close} title={it.title}>
      <div className="stack">
        <Facts of={[
          [texts.state, <CaseTag of={it} key="s" />],
          [texts.about, it.identity ? <To to={`/identities/${it.identity}`} key="w">{it.who}</To> : it.who],
          [texts.since, <Time at={it.opened_at} exact key="o" />],
          [texts.by, it.opened_by],
          [texts.closed, it.closed_at && <Time at={it.closed_at} exact />],
        ]} />
        <Panel title={texts.comments}>
          {it.comments.length === 0 && <Text size="sm" c="dimmed">{texts.noComments}</Text>}
          <ul className="plain">{it.comments.map((one) => <li key={`${one.at} ${one.text}`} className="anywhere"><b>{one.by}</b> <Text span size="xs" c="dimmed"><Time at={one.at} /></Text><div>{one.text}</div></li>)}</ul>
          {it.state === 'open' && (
            <Stack gap="xs" mt="xs">
              <Textarea name="comment" label={texts.comment} autosize minRows={2} maxLength={2000} value={text} onChange={(e) => setText(e.currentTarget.value)} />
              <Group gap="xs">
                <Act permission="sessions:help" disabled={!text.trim()} onClick={() => say.mutate({ text: text.trim(), over: false })}>{texts.commentAdd}</Act>
                <Act permission="sessions:help" onClick={async () => {
                  const yes = await confirm({ title: texts.closeTitle, body: texts.closeBody, hits: [it.title], action: texts.close, reason: 'needed' });
                  if (yes) say.mutate({ text: yes.reason, over: true });
                }}>{texts.close}</Act>
              </Group>
            </Stack>
          )}
        </Panel>
        <Bundle of={it} />
      </div>
    </Side>
  );
}
