import { ActionIcon, Button, Group, Menu, Stack, TagsInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { webhooks as texts } from '../../texts/access';
import { common } from '../../texts/common';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { Once } from '../../ui/once';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { tell, tellProblem } from '../../ui/tell';
import { Time } from '../../ui/time';

type Webhook = Schemas['Webhook'];

/// Between two looks, in milliseconds.
const REFRESH_MS = 5_000;

function WebhookForm({ close, made }: { close: () => void; made: (secret: string) => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [url, setUrl] = useState('https://');
  const [events, setEvents] = useState<string[]>(['decision.reject', 'signal']);
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/webhooks', { body: { name: name.trim(), url: url.trim(), events } as never })),
    meta: { shown: true },
    onSuccess: ({ secret }) => { void queries.invalidateQueries({ queryKey: ['webhooks'] }); made(secret); close(); },
  });
  const field = (create.error as { field?: string } | null)?.field;
  const wrong = (key: string) => (field === key ? create.error?.message : undefined);
  return (
    <Dialog opened onClose={close} title={texts.create}>
      <form onSubmit={(e) => { e.preventDefault(); create.mutate(); }}>
        <Stack gap="sm">
          <TextInput name="name" label={texts.name} required maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} error={wrong('name')} data-autofocus />
          <TextInput name="url" label={texts.url} description={texts.urlHint} required value={url} onChange={(e) => setUrl(e.currentTarget.value)} error={wrong('url')} />
          <TagsInput name="events" label={texts.events} description={texts.eventsHint} data={texts.topics} value={events} onChange={setEvents} error={wrong('events')} />
          <ProblemAlert error={create.error} />
          <Group justify="flex-end" gap="xs"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={create.isPending} disabled={events.length === 0}>{texts.create}</Button></Group>
        </Stack>
      </form>
    </Dialog>
  );
}

export default function Webhooks() {
  const me = useMe();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [form, setForm] = useState(false);
  const [secret, setSecret] = useState<string>();
  const query = useQuery({ queryKey: ['webhooks'], queryFn: () => ask(api.GET('/api/v1/webhooks')), refetchInterval: REFRESH_MS });
  const again = () => void queries.invalidateQueries({ queryKey: ['webhooks'] });
  const path = (of: Webhook) => ({ params: { path: { id: of.id } } });
  const test = useMutation({
    mutationFn: (of: Webhook) => ask(api.POST('/api/v1/webhooks/{id}/test', path(of))),
    onSuccess: (result, of) => { if (result.taken) tell(texts.taken(of.name)); else tellProblem(new Error(`${texts.notTaken(of.name)}: ${result.error ?? ''}`)); again(); },
  });
  const change = useMutation({
    mutationFn: ({ of, enabled }: { of: Webhook; enabled: boolean }) => ask<unknown>(api.PATCH('/api/v1/webhooks/{id}', { ...path(of), body: { enabled } as never })),
    onSuccess: (_, { of }) => { tell(texts.changed(of.name)); again(); },
  });
  const redeliver = useMutation({
    mutationFn: (of: Webhook) => ask<unknown>(api.POST('/api/v1/webhooks/{id}/redeliver', { ...path(of), body: {} as never })),
    onSuccess: () => { tell(texts.redelivered); again(); },
  });
  const rotate = useMutation({ mutationFn: (of: Webhook) => ask(api.POST('/api/v1/webhooks/{id}/secret', path(of))), onSuccess: (made) => setSecret(made.secret) });
  const remove = useMutation({
    mutationFn: (of: Webhook) => ask<unknown>(api.DELETE('/api/v1/webhooks/{id}', path(of))),
    onSuccess: (_, of) => { tell(texts.removed(of.name)); again(); },
  });
  const failing = (w: Webhook) => w.last_failure_at !== null && (w.last_success_at === null || w.last_failure_at > w.last_success_at);
  const state = (w: Webhook) => {
    if (!w.enabled) return <Tag tone="quiet">{texts.off}</Tag>;
    return failing(w) ? <span title={w.last_error ?? ''}><Tag tone="bad">{texts.failing}</Tag></span> : <Tag tone="ok">{texts.enabled}</Tag>;
  };
  const columns: Column<Webhook>[] = [
    { key: 'name', header: texts.name, width: 'minmax(110px, 1fr)', narrow: 'first', cell: (w) => <b>{w.name}</b> },
    { key: 'state', header: texts.state, width: '130px', narrow: 'first', cell: state },
    { key: 'url', header: texts.url, width: 'minmax(150px, 1.6fr)', cell: (w) => <span className="mono">{w.url}</span> },
    { key: 'events', header: texts.events, width: 'minmax(120px, 1.2fr)', narrow: 'hidden', cell: (w) => w.events.join(', ') },
    { key: 'delivered', header: texts.delivered, width: '90px', narrow: 'hidden', cell: (w) => w.delivered.toLocaleString('en') },
    { key: 'waiting', header: texts.waiting, width: '80px', narrow: 'hidden', cell: (w) => w.waiting.toLocaleString('en') },
    { key: 'dead', header: texts.dead, width: '80px', narrow: 'hidden', cell: (w) => w.dead.toLocaleString('en') },
    { key: 'last', header: texts.last, width: '110px', narrow: 'hidden', cell: (w) => <Time at={w.last_success_at} /> },
    {
      key: 'acts', header: '', width: '40px', narrow: 'first', cell: (w) => me.may('settings:write') && (
        <Menu position="bottom-end" withinPortal>
          <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={`${texts.more}: ${w.name}`}><Icon name="down" size={14} /></ActionIcon></Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => test.mutate(w)}>{texts.test}</Menu.Item>
            <Menu.Item onClick={() => change.mutate({ of: w, enabled: !w.enabled })}>{w.enabled ? texts.disable : texts.enable}</Menu.Item>
            {w.dead > 0 && <Menu.Item onClick={() => redeliver.mutate(w)}>{texts.again}</Menu.Item>}
            <Menu.Item onClick={async () => { if (await confirm({ title: texts.rotateTitle, body: texts.rotateBody, hits: [w.name], action: texts.rotate })) rotate.mutate(w); }}>{texts.rotate}</Menu.Item>
            <Menu.Item color="red" onClick={async () => { if (await confirm({ title: texts.removeTitle, body: texts.removeBody, hits: [w.name], action: texts.remove, danger: true })) remove.mutate(w); }}>{texts.remove}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ),
    },
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} full actions={<Act permission="settings:write" icon="plus" variant="filled" onClick={() => setForm(true)}>{texts.create}</Act>}>
      <ProblemAlert error={query.error} />
      <Rows label={texts.title} columns={columns} rows={query.data ?? []} busy={query.isPending} rowKey={(w) => w.id} empty={<Empty title={texts.empty}>{texts.emptyHint}</Empty>} />
      {form && <WebhookForm close={() => setForm(false)} made={setSecret} />}
      {secret && <Once title={texts.secret} hint={texts.once} value={secret} close={() => setSecret(undefined)} />}
    </PageFrame>
  );
}
