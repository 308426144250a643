/// What an identity is made of, as a form.
import { Button, Group, NativeSelect, NumberInput, Stack, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { common } from '../../texts/common';
import { credentialKinds, identities, identityForm as texts } from '../../texts/identities';
import { ProblemAlert } from '../../ui/problem';

export interface Draft {
  kind: string;
  name: string;
  owner: string;
  purpose: string;
  groups: string[];
  environment: string;
  autonomy: string;
  credential: string;
  value: string;
}

export const EMPTY: Draft = { kind: 'device', name: '', owner: '', purpose: '', groups: [], environment: '', autonomy: '', credential: '', value: '' };

const orNull = (text: string) => text.trim() || null;

/// As the API takes it.
export const bodyOf = (draft: Draft): Schemas['NewIdentity'] => ({
  kind: draft.kind,
  name: draft.name.trim(),
  owner: orNull(draft.owner),
  purpose: orNull(draft.purpose),
  groups: draft.groups,
  environment: orNull(draft.environment),
  autonomy: draft.autonomy === '' ? null : Number(draft.autonomy),
  ...(draft.credential && draft.value.trim() ? { credentials: [{ [draft.credential]: draft.value.trim() }] } : {}),
});

export function IdentityForm({ begin, groups, isNew, busy, error, save, cancel }: { begin: Draft; groups: string[]; isNew: boolean; busy: boolean; error: unknown; save: (draft: Draft, reason: string) => void; cancel: () => void }) {
  const [draft, setDraft] = useState(begin);
  const [reason, setReason] = useState('');
  const set = (part: Partial<Draft>) => setDraft((now) => ({ ...now, ...part }));
  const field = (error as { field?: string } | null)?.field;
  const wrong = (name: string) => (field === name ? (error as Error).message : undefined);
  const text = (key: 'name' | 'owner' | 'purpose' | 'environment', more?: object) => (
    <TextInput name={key} label={key === 'environment' ? texts.environment : texts[key]} value={draft[key]} onChange={(e) => set({ [key]: e.currentTarget.value })} error={wrong(key)} {...more} />
  );
  const isUser = draft.kind === 'user';
  return (
    <form onSubmit={(e) => { e.preventDefault(); save(draft, reason.trim()); }}>
      <Stack gap="sm" maw={560}>
        {isNew && <NativeSelect name="kind" label={texts.kind} value={draft.kind} onChange={(e) => set({ kind: e.currentTarget.value })} data={Object.entries(identities.kindOf).map(([value, label]) => ({ value, label }))} error={wrong('kind')} />}
        {text('name', { required: true, maxLength: 200 })}
        {!isUser && text('owner', { description: texts.ownerHint, required: true })}
        {!isUser && text('purpose', { description: texts.purposeHint, required: true })}
        <TagsInput name="groups" label={texts.groups} description={texts.groupsHint} value={draft.groups} onChange={(groups) => set({ groups })} data={groups} error={wrong('groups')} />
        {draft.kind === 'agent' && <NumberInput name="autonomy" label={texts.autonomy} description={texts.autonomyHint} value={draft.autonomy} min={0} max={5} onChange={(value) => set({ autonomy: String(value) })} error={wrong('autonomy')} />}
        {!isUser && text('environment')}
        {isNew && (
          <Group gap="xs" align="flex-end" wrap="nowrap">
            <NativeSelect name="credential" label={texts.credential} value={draft.credential} onChange={(e) => set({ credential: e.currentTarget.value })} data={[{ value: '', label: texts.none }, ...Object.entries(credentialKinds).map(([value, label]) => ({ value, label }))]} />
            <TextInput name="value" label={texts.value} value={draft.value} onChange={(e) => set({ value: e.currentTarget.value })} disabled={!draft.credential} required={Boolean(draft.credential)} flex={1} error={wrong('credentials')} />
          </Group>
        )}
        <TextInput name="reason" label={texts.reason} description={texts.reasonHint} value={reason} onChange={(e) => setReason(e.currentTarget.value)} maxLength={200} />
        <ProblemAlert error={error} />
        <Group gap="xs"><Button type="submit" loading={busy}>{common.save}</Button><Button variant="default" onClick={cancel}>{common.cancel}</Button></Group>
      </Stack>
    </form>
  );
}
