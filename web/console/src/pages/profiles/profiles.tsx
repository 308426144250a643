import { Group } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { objects, type Profile } from '../../api/objects';
import { profiles as texts } from '../../texts/profiles';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { DataTable, type Column } from '../../ui/table';
import { tell } from '../../ui/tell';
import { ProfileForm } from './form';

/// A VLAN in words: its number or name, several of a pool, or one for each site.
export function vlanText(vlan: unknown): string {
  if (vlan === undefined || vlan === null) return '';
  if (typeof vlan === 'number' || typeof vlan === 'string') return String(vlan);
  const { pool, by_site: sites, else: other } = vlan as { pool?: unknown[]; by_site?: Record<string, unknown>; else?: unknown };
  if (pool) return pool.join(', ');
  return [...Object.entries(sites ?? {}).map(([site, of]) => `${site}: ${String(of)}`), ...(other === undefined ? [] : [`else ${String(other)}`])].join(', ');
}

export default function Profiles() {
  const [form, setForm] = useState<{ of?: Profile }>();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: ({ name, reason }: { name: string; reason: string }) => ask<unknown>(api.DELETE('/api/v1/profiles/{name}', { params: { path: { name }, query: { reason: reason || undefined } } })),
    onSuccess: (_, { name }) => { tell(texts.removed(name)); void queries.invalidateQueries(); },
  });
  const columns: Column<Profile>[] = [
    { key: 'name', header: texts.name, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (p) => <b>{p.name}</b> },
    { key: 'vlan', header: texts.vlan, width: 'minmax(90px, 1fr)', narrow: 'first', cell: (p) => vlanText(p.vlan) },
    { key: 'role', header: texts.role, width: 'minmax(100px, 1fr)', cell: (p) => [p.role, p.filter_id].filter(Boolean).join(', ') },
    { key: 'acl', header: texts.acl, width: 'minmax(140px, 2fr)', narrow: 'hidden', cell: (p) => <span className="mono">{(p.acl ?? []).join('; ')}</span> },
    { key: 'home', header: texts.home, width: '90px', cell: (p) => texts.homes[p.home] ?? p.home },
    {
      key: 'acts', header: '', width: '170px', narrow: 'hidden', cell: (p) => {
        const why = p.home === 'file' ? texts.inFile : undefined;
        return (
          <Group gap={6} wrap="nowrap" justify="flex-end">
            <Act permission="policy:write" size="compact-xs" why={why} onClick={() => setForm({ of: p })}>{texts.edit}</Act>
            <Act permission="policy:write" size="compact-xs" why={why} onClick={async () => {
              const yes = await confirm({ title: texts.removeTitle, body: texts.removeBody, hits: [p.name], action: texts.remove, danger: true, reason: true });
              if (yes) remove.mutate({ name: p.name, reason: yes.reason });
            }}>{texts.remove}</Act>
          </Group>
        );
      },
    },
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} full actions={<Act permission="policy:write" icon="plus" variant="filled" onClick={() => setForm({})}>{texts.create}</Act>}>
      <DataTable
        label={texts.title}
        columns={columns}
        queryKey={['profiles']}
        fetch={(cursor) => objects<Schemas['Profile']>(ask<unknown>(api.GET('/api/v1/profiles', { params: { query: { cursor, limit: 200 } } })))}
        rowKey={(p) => p.name}
        empty={<Empty title={texts.empty}>{texts.emptyHint}</Empty>}
      />
      {form && <ProfileForm of={form.of} close={() => setForm(undefined)} />}
    </PageFrame>
  );
}
