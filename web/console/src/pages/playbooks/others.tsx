/// The playbooks themselves, who is in quarantine, and what people look into.
import { Button, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { objects, type Named } from '../../api/objects';
import { playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { Facts } from '../../ui/facts';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { DataTable, type Column } from '../../ui/table';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';

type Book = Named<Schemas['Playbook']>;
type Contained = Schemas['Containment'];
type Case = Schemas['Case'];

const MODES: Record<string, Tone> = { on: 'ok', dry_run: 'info', off: 'quiet' };

/// A step in words: what is done, and with what.
function stepText(step: unknown): string {
  const { do: what, ...rest } = step as Record<string, unknown>;
  const more = Object.entries(rest).map(([key, value]) => `${key} ${String(value)}`).join(', ');
  return more ? `${String(what)} (${more})` : String(what);
}

export function Books() {
  const query = useQuery({ queryKey: ['playbooks'], queryFn: () => objects<Schemas['Playbook']>(ask<unknown>(api.GET('/api/v1/playbooks', { params: { query: { limit: 500 } } }))) });
  if (query.data?.items.length === 0) return <Empty title={texts.noBooks}>{texts.noBooksHint}</Empty>;
  return (
    <div className="stack">
      <ProblemAlert error={query.error} />
      {query.data?.items.map((book: Book) => (
        <Panel key={book.name} title={book.name} actions={<Tag tone={MODES[book.mode ?? 'on'] ?? 'quiet'}>{texts.modes[book.mode ?? 'on'] ?? book.mode}</Tag>}>
          {book.description && <Text size="sm" c="dimmed" mb={4}>{book.description}</Text>}
          <Facts of={[
            [texts.when, <span className="mono" key="w">{JSON.stringify(book.when)}</span>],
            [texts.who, [...(book.kinds ?? []), ...(book.groups ?? []), ...(book.sites ?? [])].join(', ')],
            [texts.does, book.steps.map(stepText).join('; ')],
          ]} />
        </Panel>
      ))}
    </div>
  );
}

export function Quarantine() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const release = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) => ask<unknown>(api.POST('/api/v1/containments/{id}/release', { params: { path: { id } }, body: { reason: reason || texts.letOut } as never })),
    onSuccess: () => { tell(texts.did); void queries.invalidateQueries(); },
  });
  const who = (c: Contained) => c.name ?? c.mac ?? '';
  const columns: Column<Contained>[] = [
    { key: 'who', header: texts.who, width: 'minmax(130px, 1fr)', narrow: 'first', cell: (c) => (c.identity ? <To to={`/identities/${c.identity}`}>{who(c)}</To> : <b className="mono">{who(c)}</b>) },
    { key: 'profile', header: texts.profile, width: '110px', narrow: 'first', cell: (c) => <Tag tone="warn">{c.profile}</Tag> },
    { key: 'cause', header: texts.cause, width: 'minmax(160px, 2fr)', cell: (c) => <span title={c.cause}>{c.cause}</span> },
    { key: 'by', header: texts.by, width: 'minmax(90px, .8fr)', narrow: 'hidden', cell: (c) => c.by },
    { key: 'since', header: texts.since, width: '110px', narrow: 'hidden', cell: (c) => <Time at={c.since} /> },
    { key: 'until', header: texts.until, width: '110px', narrow: 'hidden', cell: (c) => <Time at={c.until} /> },
    {
      key: 'acts', header: '', width: '90px', cell: (c) => (
        <Act permission="sessions:change" size="compact-xs" onClick={async () => {
          const yes = await confirm({ title: texts.letOutTitle, body: texts.letOutBody, hits: [who(c)], action: texts.letOut, reason: true });
          if (yes) release.mutate({ id: c.id, reason: yes.reason });
        }}>{texts.letOut}</Act>
      ),
    },
  ];
  return <DataTable label={texts.tabs.contained ?? ''} columns={columns} queryKey={['containments']} refresh={3_000} fetch={(cursor) => ask(api.GET('/api/v1/containments', { params: { query: { cursor, limit: 100 } as never } }))} rowKey={(c) => c.id} empty={<Empty title={texts.contained}>{texts.containedHint}</Empty>} />;
}

export function Cases() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const close = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) => ask<unknown>(api.POST('/api/v1/cases/{id}/close', { params: { path: { id } }, body: { text: reason || texts.close } as never })),
    onSuccess: () => { tell(texts.did); void queries.invalidateQueries(); },
  });
  const columns: Column<Case>[] = [
    { key: 'title', header: texts.what, width: 'minmax(160px, 1.6fr)', narrow: 'first', cell: (c) => <b title={c.comments.map((one) => `${one.by}: ${one.text}`).join('\n')}>{c.title}</b> },
    { key: 'state', header: texts.state, width: '90px', narrow: 'first', cell: (c) => <Tag tone={c.state === 'open' ? 'warn' : 'quiet'}>{c.state === 'open' ? texts.open : texts.closed}</Tag> },
    { key: 'who', header: texts.about, width: 'minmax(110px, 1fr)', cell: (c) => (c.identity ? <To to={`/identities/${c.identity}`}>{c.who}</To> : c.who) },
    { key: 'by', header: texts.by, width: 'minmax(90px, .8fr)', narrow: 'hidden', cell: (c) => c.opened_by },
    { key: 'opened', header: texts.since, width: '110px', cell: (c) => <Time at={c.opened_at} /> },
    { key: 'comments', header: texts.comments, width: '100px', narrow: 'hidden', cell: (c) => c.comments.length },
    { key: 'evidence', header: texts.evidence, width: '100px', narrow: 'hidden', cell: (c) => <Button component="a" size="compact-xs" variant="default" href={`/api/v1/cases/${c.id}/evidence`} download={`case-${c.id}.json`}>{texts.evidence}</Button> },
    {
      key: 'acts', header: '', width: '80px', narrow: 'hidden', cell: (c) => c.state === 'open' && (
        <Act permission="sessions:help" size="compact-xs" onClick={async () => {
          const yes = await confirm({ title: texts.closeTitle, body: texts.closeBody, hits: [c.title], action: texts.close, reason: true });
          if (yes) close.mutate({ id: c.id, reason: yes.reason });
        }}>{texts.close}</Act>
      ),
    },
  ];
  return <DataTable label={texts.tabs.cases ?? ''} columns={columns} queryKey={['cases']} fetch={(cursor) => ask(api.GET('/api/v1/cases', { params: { query: { cursor, limit: 100 } as never } }))} rowKey={(c) => c.id} empty={<Empty title={texts.noCases}>{texts.noCasesHint}</Empty>} />;
}
