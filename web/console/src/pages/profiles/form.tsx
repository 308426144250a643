import { Button, Checkbox, Group, NumberInput, Stack, Textarea, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import type { Profile } from '../../api/objects';
import { common } from '../../texts/common';
import { profiles as texts } from '../../texts/profiles';
import { Dialog } from '../../ui/dialog';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';

/// A VLAN as the API takes it: a number where it is one.
const vlanOf = (text: string): unknown => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim());
const isPlain = (vlan: unknown) => vlan === undefined || typeof vlan === 'number' || typeof vlan === 'string';

export function ProfileForm({ of, close }: { of?: Profile; close: () => void }) {
  const queries = useQueryClient();
  const plain = isPlain(of?.vlan);
  const [name, setName] = useState(of?.name ?? '');
  const [vlan, setVlan] = useState(plain ? String(of?.vlan ?? '') : '');
  const [role, setRole] = useState(of?.role ?? '');
  const [filter, setFilter] = useState(of?.filter_id ?? '');
  const [acl, setAcl] = useState((of?.acl ?? []).join('\n'));
  const [timeout, setTimeout] = useState<string | number>(of?.session_timeout_secs ?? '');
  const [reauth, setReauth] = useState(of?.termination_action === 'reauthenticate');
  const save = useMutation({
    mutationFn: () => {
      // What is null goes; what is not named stays.
      const lines = acl.split('\n').map((line) => line.trim()).filter(Boolean);
      const all: Record<string, unknown> = {
        ...(plain ? { vlan: vlan.trim() ? vlanOf(vlan) : null } : {}),
        role: role.trim() || null,
        filter_id: filter.trim() || null,
        acl: lines.length > 0 ? lines : null,
        session_timeout_secs: timeout === '' ? null : Number(timeout),
        termination_action: reauth ? 'reauthenticate' : null,
      };
      const path = { name: name.trim() };
      if (of) return ask<unknown>(api.PATCH('/api/v1/profiles/{name}', { params: { path }, body: all as never }));
      const said = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
      return ask<unknown>(api.PUT('/api/v1/profiles/{name}', { params: { path }, body: said as never }));
    },
    meta: { shown: true },
    onSuccess: () => { tell(texts.saved(name)); void queries.invalidateQueries(); close(); },
  });
  return (
    <Dialog opened onClose={close} title={of ? of.name : texts.create}>
      <form onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
        <Stack gap="sm">
          {!of && <TextInput name="name" label={texts.name} required value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />}
          {plain && <TextInput name="vlan" label={texts.vlan} description={texts.vlanHint} value={vlan} onChange={(e) => setVlan(e.currentTarget.value)} />}
          <Group grow>
            <TextInput name="role" label={texts.role} value={role} onChange={(e) => setRole(e.currentTarget.value)} />
            <TextInput name="filter_id" label={texts.filter} value={filter} onChange={(e) => setFilter(e.currentTarget.value)} />
          </Group>
          <Textarea name="acl" label={texts.acl} description={texts.aclHint} autosize minRows={2} maxRows={8} value={acl} onChange={(e) => setAcl(e.currentTarget.value)} />
          <NumberInput name="session_timeout_secs" label={texts.timeout} min={60} max={2_592_000} value={timeout} onChange={setTimeout} />
          <Checkbox name="reauth" label={texts.reauth} checked={reauth} onChange={(e) => setReauth(e.currentTarget.checked)} />
          {of && <Text size="xs" c="dimmed">{texts.more}</Text>}
          <ProblemAlert error={save.error} />
          <Group justify="flex-end" gap="xs"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={save.isPending}>{common.save}</Button></Group>
        </Stack>
      </form>
    </Dialog>
  );
}
