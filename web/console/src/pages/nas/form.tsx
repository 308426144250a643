/// A device, as one adds it or changes it; the first-run wizard has it too.
import { Autocomplete, Button, Group, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { objects, type NasObject } from '../../api/objects';
import { common } from '../../texts/common';
import { nas as texts } from '../../texts/nas';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
import { bodyOf, draftOf, type Draft } from './draft';
import { newSecret } from './secret';

export interface Added {
  name: string;
  secret: string;
}

export interface Begin {
  name?: string;
  address?: string;
  vendor?: string;
}

const options = (words: Record<string, string>) => Object.entries(words).map(([value, label]) => ({ value, label }));
const empty = ({ name = '', address = '', vendor = 'standard' }: Begin): Draft => ({
  name, address, vendor, secret: newSecret(), site: '', mode: 'enforce', transport: 'udp', knownBy: 'san_dns', certificate: '', serial: '', coa: '', coaPort: '', coaAddress: '', coaSecret: '',
});

interface Part {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
}

/// By what its certificate is known.
function OverTls({ draft, set }: Part) {
  return (
    <Group grow align="flex-end">
      <NativeSelect name="known_by" label={texts.knownBy} value={draft.knownBy} onChange={(e) => set({ knownBy: e.currentTarget.value })} data={options(texts.certificateNames)} />
      <TextInput name="certificate" label={texts.certificateName} required value={draft.certificate} onChange={(e) => set({ certificate: e.currentTarget.value })} />
      {draft.knownBy === 'issuer' && <TextInput name="serial" label={texts.serial} required value={draft.serial} onChange={(e) => set({ serial: e.currentTarget.value })} />}
    </Group>
  );
}

/// Where it takes changes to its sessions.
function TakesChanges({ draft, set, known }: Part & { known: boolean }) {
  return (
    <>
      <NativeSelect name="coa" label={texts.takes} description={texts.takesHint} value={draft.coa} onChange={(e) => set({ coa: e.currentTarget.value })} data={options(texts.takesHow)} />
      {draft.coa === 'at' && (
        <Group grow align="flex-end">
          <NumberInput name="coa_port" label={texts.coaPort} description={texts.coaPortHint} min={1} max={65_535} value={draft.coaPort} onChange={(coaPort) => set({ coaPort })} />
          <TextInput name="coa_address" label={texts.coaAddress} description={texts.coaAddressHint} value={draft.coaAddress} onChange={(e) => set({ coaAddress: e.currentTarget.value })} />
          <TextInput name="coa_secret" label={texts.coaSecret} description={known ? texts.secretKept : texts.coaSecretHint} classNames={{ input: 'mono' }} autoComplete="off" value={draft.coaSecret} onChange={(e) => set({ coaSecret: e.currentTarget.value })} />
        </Group>
      )}
    </>
  );
}

interface Props {
  begin: Begin;
  /// The device that is changed; else one is added.
  known?: NasObject;
  added: (it: Added) => void;
  cancel?: () => void;
}

export function DeviceForm({ begin, known, added, cancel }: Props) {
  const queries = useQueryClient();
  const [draft, setDraft] = useState(() => (known ? draftOf(known) : empty(begin)));
  const set = (part: Partial<Draft>) => setDraft((now) => ({ ...now, ...part }));
  const vendors = useQuery({ queryKey: ['nas', 'vendors'], queryFn: () => ask(api.GET('/api/v1/nas/vendors')), staleTime: Infinity });
  const sites = useQuery({ queryKey: ['sites', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/sites', { params: { query: { limit: 500 } } }))) });
  const name = draft.name.trim();
  const udp = draft.transport !== 'tls';
  const save = useMutation({
    mutationFn: async () => {
      const site = draft.site.trim();
      const there = sites.data?.items.some((one) => one.name === site);
      // A site that is new comes with its first device.
      if (site && !there) await ask<unknown>(api.PUT('/api/v1/sites/{name}', { params: { path: { name: site } }, body: {} }));
      const init = { params: { path: { name } }, body: bodyOf(draft) as never };
      return known ? ask<unknown>(api.PATCH('/api/v1/nas/{name}', init)) : ask<unknown>(api.PUT('/api/v1/nas/{name}', init));
    },
    meta: { shown: true },
    onSuccess: () => {
      tell(known ? texts.changed(name) : texts.created(name));
      void queries.invalidateQueries();
      added({ name, secret: udp ? draft.secret : '' });
    },
  });
  const field = (save.error as { field?: string } | null)?.field;
  const wrong = (key: string) => (field === key ? save.error?.message : undefined);
  return (
    <form onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
      <Stack gap="sm" maw={560}>
        {!known && <TextInput name="name" label={texts.name} required maxLength={64} value={draft.name} onChange={(e) => set({ name: e.currentTarget.value })} error={wrong('name')} />}
        <NativeSelect name="transport" label={texts.transport} value={draft.transport} onChange={(e) => set({ transport: e.currentTarget.value })} data={options(texts.transports)} />
        <TextInput name="address" label={texts.address} description={udp ? texts.addressHint : texts.addressTls} required={udp} value={draft.address} onChange={(e) => set({ address: e.currentTarget.value })} error={wrong('address')} />
        {udp && (
          <Group align="flex-end" gap="xs" wrap="nowrap">
            <TextInput name="secret" classNames={{ input: 'mono' }} flex={1} label={texts.secret} description={known ? texts.secretKept : texts.secretHint} required={!known?.has_secret} minLength={8} value={draft.secret} onChange={(e) => set({ secret: e.currentTarget.value })} error={wrong('secret')} autoComplete="off" />
            <Button variant="default" onClick={() => set({ secret: newSecret() })}>{texts.generate}</Button>
          </Group>
        )}
        {draft.transport !== 'udp' && <OverTls draft={draft} set={set} />}
        <NativeSelect name="vendor" label={texts.vendor} value={draft.vendor} onChange={(e) => set({ vendor: e.currentTarget.value })} data={(vendors.data?.items ?? [{ name: draft.vendor, title: draft.vendor }]).map((one) => ({ value: one.name, label: one.title }))} error={wrong('vendor')} />
        <Group grow align="flex-end">
          <Autocomplete name="site" label={texts.site} data={(sites.data?.items ?? []).map((one) => one.name)} value={draft.site} onChange={(site) => set({ site })} />
          <NativeSelect name="mode" label={texts.mode} description={texts.modeHint} value={draft.mode} onChange={(e) => set({ mode: e.currentTarget.value })} data={options(texts.modes)} />
        </Group>
        <TakesChanges draft={draft} set={set} known={Boolean(known)} />
        <ProblemAlert error={save.error} />
        <Group gap="xs">
          <Button type="submit" loading={save.isPending}>{known ? common.save : texts.create}</Button>
          {cancel && <Button variant="default" onClick={cancel}>{common.cancel}</Button>}
        </Group>
      </Stack>
    </form>
  );
}
