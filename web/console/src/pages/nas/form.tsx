/// A device, as one adds it; the first-run wizard has it too.
import { Autocomplete, Button, Group, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { objects } from '../../api/objects';
import { nas as texts } from '../../texts/nas';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
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

/// What is typed as addresses: one, or a list of them.
const addresses = (text: string): unknown => {
  const all = text.split(/[\s,]+/).filter(Boolean);
  return all.length > 1 ? all : all[0];
};

export function DeviceForm({ begin, added }: { begin: Begin; added: (it: Added) => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(begin.name ?? '');
  const [address, setAddress] = useState(begin.address ?? '');
  const [secret, setSecret] = useState(newSecret);
  const [vendor, setVendor] = useState(begin.vendor ?? 'standard');
  const [site, setSite] = useState('');
  const [mode, setMode] = useState('enforce');
  const vendors = useQuery({ queryKey: ['nas', 'vendors'], queryFn: () => ask(api.GET('/api/v1/nas/vendors')), staleTime: Infinity });
  const sites = useQuery({ queryKey: ['sites', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/sites', { params: { query: { limit: 500 } } }))) });
  const add = useMutation({
    mutationFn: async () => {
      const known = sites.data?.items.some((one) => one.name === site);
      // A site that is new comes with its first device.
      if (site && !known) await ask<unknown>(api.PUT('/api/v1/sites/{name}', { params: { path: { name: site } }, body: {} }));
      const body = { address: addresses(address), secret, vendor, site: site || undefined, mode };
      return ask<unknown>(api.PUT('/api/v1/nas/{name}', { params: { path: { name: name.trim() } }, body: body as never }));
    },
    meta: { shown: true },
    onSuccess: () => {
      tell(texts.created(name));
      void queries.invalidateQueries();
      added({ name: name.trim(), secret });
    },
  });
  const field = (add.error as { field?: string } | null)?.field;
  const wrong = (key: string) => (field === key ? add.error?.message : undefined);
  return (
    <form onSubmit={(e) => { e.preventDefault(); add.mutate(); }}>
      <Stack gap="sm" maw={560}>
        <TextInput name="name" label={texts.name} required maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} error={wrong('name')} />
        <TextInput name="address" label={texts.address} description={texts.addressHint} required value={address} onChange={(e) => setAddress(e.currentTarget.value)} error={wrong('address')} />
        <NativeSelect name="vendor" label={texts.vendor} value={vendor} onChange={(e) => setVendor(e.currentTarget.value)} data={(vendors.data?.items ?? [{ name: vendor, title: vendor }]).map((one) => ({ value: one.name, label: one.title }))} error={wrong('vendor')} />
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput name="secret" classNames={{ input: 'mono' }} flex={1} label={texts.secret} description={texts.secretHint} required minLength={8} value={secret} onChange={(e) => setSecret(e.currentTarget.value)} error={wrong('secret')} autoComplete="off" />
          <Button variant="default" onClick={() => setSecret(newSecret())}>{texts.generate}</Button>
        </Group>
        <Group grow align="flex-start">
          <Autocomplete name="site" label={texts.site} description={' '} data={(sites.data?.items ?? []).map((one) => one.name)} value={site} onChange={setSite} />
          <NativeSelect name="mode" label={texts.mode} description={texts.modeHint} value={mode} onChange={(e) => setMode(e.currentTarget.value)} data={Object.entries(texts.modes).map(([value, label]) => ({ value, label }))} />
        </Group>
        <ProblemAlert error={add.error} />
        <Group><Button type="submit" loading={add.isPending}>{texts.create}</Button></Group>
      </Stack>
    </form>
  );
}
