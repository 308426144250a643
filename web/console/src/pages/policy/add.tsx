/// A new rule, put together from what there is.
import { Autocomplete, Button, Group, NativeSelect, NumberInput, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { common } from '../../texts/common';
import { policy as texts } from '../../texts/policy';
import { useNames } from './names';
import { rulesOf, written, type NewRule } from './rules';
import { Dialog } from '../../ui/dialog';

const KINDS = ['User', 'Device', 'Machine', 'Agent', 'Service', 'Model'];
const NEW: NewRule = { id: '', order: 50, profile: '', kind: '', group: '', site: '', method: '' };

export function AddRule({ text, close, add }: { text: string; close: () => void; add: (text: string) => void }) {
  const names = useNames();
  const [rule, setRule] = useState(NEW);
  const set = (part: Partial<NewRule>) => setRule((now) => ({ ...now, ...part }));
  const taken = rulesOf(text)?.some((one) => one.id === rule.id);
  const options = (all: string[], none: string) => [{ value: '', label: none }, ...all.map((value) => ({ value, label: value }))];
  return (
    <Dialog opened onClose={close} title={texts.addTitle}>
      <form onSubmit={(e) => { e.preventDefault(); if (!taken && rule.profile) { add(`${text.trimEnd()}\n\n${written(rule)}`); close(); } }}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">{texts.addHint}</Text>
          <TextInput name="id" label={texts.id} required value={rule.id} onChange={(e) => set({ id: e.currentTarget.value.trim() })} error={taken && rule.id ? texts.taken : undefined} data-autofocus />
          <Group grow align="flex-start">
            <Autocomplete name="group" label={texts.group} description={texts.groupHint} data={names.groups} value={rule.group} onChange={(group) => set({ group })} />
            <NativeSelect name="kind" label={texts.kind} description={' '} data={options(KINDS, common.all)} value={rule.kind} onChange={(e) => set({ kind: e.currentTarget.value })} />
          </Group>
          <Group grow>
            <NativeSelect name="site" label={texts.site} data={options(names.sites, texts.anywhere)} value={rule.site} onChange={(e) => set({ site: e.currentTarget.value })} />
            <NativeSelect name="method" label={texts.method} data={Object.entries(texts.methods).map(([value, label]) => ({ value, label }))} value={rule.method} onChange={(e) => set({ method: e.currentTarget.value })} />
          </Group>
          <Group grow align="flex-start">
            <NativeSelect name="profile" label={texts.profile} description={' '} required data={options(names.profiles, texts.needed)} value={rule.profile} onChange={(e) => set({ profile: e.currentTarget.value })} />
            <NumberInput name="order" label={texts.order} description={texts.orderHint} required min={1} max={1_000_000} value={rule.order} onChange={(order) => set({ order: Number(order) || 1 })} />
          </Group>
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{common.cancel}</Button>
            <Button type="submit">{texts.addIt}</Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
