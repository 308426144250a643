import { Button, Group, MultiSelect, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { roles, tokens as texts } from '../../texts/access';
import { common } from '../../texts/common';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { Once } from '../../ui/once';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';

type Token = Schemas['Token'];

function TokenForm({ close, made }: { close: () => void; made: (token: string) => void }) {
  const me = useMe();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const [permissions, setPermissions] = useState<string[]>([]);
  const [days, setDays] = useState<string | number>(90);
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/tokens', { body: { name: name.trim(), role: role || null, permissions, expires_in_days: Number(days) || null } as never })),
    meta: { shown: true },
    onSuccess: ({ token }) => { void queries.invalidateQueries({ queryKey: ['tokens'] }); made(token); close(); },
  });
  return (
    <Dialog opened onClose={close} title={texts.create}>
      <form onSubmit={(e) => { e.preventDefault(); create.mutate(); }}>
        <Stack gap="sm">
          <TextInput name="name" label={texts.name} description={texts.nameHint} required maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
          <NativeSelect name="role" label={texts.role} value={role} onChange={(e) => setRole(e.currentTarget.value)} data={[{ value: '', label: common.none }, ...Object.entries(roles).map(([value, label]) => ({ value, label }))]} />
          <MultiSelect label={texts.permissions} value={permissions} onChange={setPermissions} data={me.permissions} searchable />
          <NumberInput name="days" label={texts.days} min={1} max={400} value={days} onChange={setDays} />
          <ProblemAlert error={create.error} />
          <Group justify="flex-end" gap="xs"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={create.isPending} disabled={!role && permissions.length === 0}>{texts.create}</Button></Group>
        </Stack>
      </form>
    </Dialog>
  );
}

export default function Tokens() {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [form, setForm] = useState(false);
  const [made, setMade] = useState<string>();
  const query = useQuery({ queryKey: ['tokens'], queryFn: () => ask(api.GET('/api/v1/tokens')) });
  const revoke = useMutation({
    mutationFn: (of: Token) => ask<unknown>(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id: of.id } } })),
    onSuccess: (_, of) => { tell(texts.wasRevoked(of.name)); void queries.invalidateQueries({ queryKey: ['tokens'] }); },
  });
  const columns: Column<Token>[] = [
    { key: 'name', header: texts.name, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (t) => <b>{t.name}</b> },
    { key: 'state', header: texts.state, width: '110px', narrow: 'first', cell: (t) => <Tag tone={t.good ? 'ok' : 'quiet'}>{t.good ? texts.good : t.revoked_at ? texts.revoked : texts.over}</Tag> },
    { key: 'may', header: texts.may, width: 'minmax(160px, 2fr)', narrow: 'hidden', cell: (t) => <span title={t.permissions.join(', ')}>{t.permissions.join(', ')}</span> },
    { key: 'by', header: texts.createdBy, width: 'minmax(80px, .7fr)', narrow: 'hidden', cell: (t) => t.created_by },
    { key: 'expires', header: texts.expires, width: '110px', cell: (t) => <Time at={t.expires_at} /> },
    { key: 'used', header: texts.used, width: '110px', cell: (t) => (t.last_used_at ? <Time at={t.last_used_at} /> : texts.never) },
    {
      key: 'acts', header: '', width: '100px', narrow: 'hidden', cell: (t) => t.good && (
        <Act permission="operators:write" size="compact-xs" onClick={async () => { if (await confirm({ title: texts.revokeTitle, body: texts.revokeBody, hits: [t.name], action: texts.revoke, danger: true })) revoke.mutate(t); }}>{texts.revoke}</Act>
      ),
    },
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} full actions={<Act permission="operators:write" icon="plus" variant="filled" onClick={() => setForm(true)}>{texts.create}</Act>}>
      <ProblemAlert error={query.error} />
      <Rows label={texts.title} columns={columns} rows={query.data ?? []} busy={query.isPending} rowKey={(t) => t.id} empty={<Empty title={texts.empty}>{texts.emptyHint}</Empty>} />
      {form && <TokenForm close={() => setForm(false)} made={setMade} />}
      {made && <Once title={texts.made} hint={texts.once} value={made} close={() => setMade(undefined)} />}
    </PageFrame>
  );
}
