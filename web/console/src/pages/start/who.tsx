/// Somebody to let in: a device, who answers for it, and its certificate.
import { Alert, Button, Stack, Text, TextInput } from '@mantine/core';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, Problem, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { certificates } from '../../texts/certificates';
import { start as texts } from '../../texts/start';
import { ProblemAlert } from '../../ui/problem';
import { saveText } from '../../ui/save';
import { Made } from '../certificates/issue';

export interface Known {
  identity: string;
  identityName: string;
  dns: string;
  group: string;
}

/// The CA of this server; null if it has none.
const authority = queryOptions({
  queryKey: ['ca', 'own'],
  queryFn: async () => {
    try {
      return await ask(api.GET('/api/v1/ca'));
    } catch (error) {
      if (error instanceof Problem && error.code === 'no_ca') return null;
      throw error;
    }
  },
});

export function Who({ known }: { known: (it: Known) => void }) {
  const me = useMe();
  const queries = useQueryClient();
  const ca = useQuery(authority);
  const own = ca.data;
  const [name, setName] = useState('laptop-1');
  const [dns, setDns] = useState('laptop-1.corp.example');
  const [group, setGroup] = useState('laptops');
  const [owner, setOwner] = useState(me.name);
  const [made, setMade] = useState<Schemas['CertificateMade']>();
  const [it, setIt] = useState<Known>();
  const create = useMutation({
    mutationFn: async () => {
      try {
        await ask<unknown>(api.POST('/api/v1/identities', { body: { kind: 'user', name: owner } as never }));
      } catch (error) {
        // They are known already.
        if (!(error instanceof Problem) || error.status !== 409) throw error;
      }
      const body = { kind: 'device', name, owner, purpose: 'the first login', groups: [group], credentials: [{ san_dns: dns }] };
      const { item } = await ask(api.POST('/api/v1/identities', { body: body as never }));
      const authorityNow = await queries.fetchQuery(authority);
      const certificate = authorityNow ? await ask(api.POST('/api/v1/ca/certificates', { body: { identity: item.id } as never })) : undefined;
      return { id: item.id, certificate };
    },
    meta: { shown: true },
    onSuccess: ({ id, certificate }) => {
      void queries.invalidateQueries();
      const them = { identity: id, identityName: name, dns, group };
      if (!certificate) return known(them);
      setMade(certificate);
      setIt(them);
    },
  });
  if (made && it) {
    return (
      <Stack gap="sm">
        {own && <div><Button variant="default" onClick={() => saveText('ca.pem', own.certificate)}>{certificates.caDownload}</Button></div>}
        <Made made={made} done={() => known(it)} />
      </Stack>
    );
  }
  const text = (key: string, label: string, value: string, set: (to: string) => void, description?: string) => <TextInput name={key} label={label} description={description} required value={value} onChange={(e) => set(e.currentTarget.value)} />;
  return (
    <form onSubmit={(e) => { e.preventDefault(); create.mutate(); }}>
      <Stack gap="sm" maw={460}>
        <Text size="sm" c="dimmed">{texts.who}</Text>
        {text('name', texts.name, name, (to) => { setName(to); if (dns === `${name}.corp.example`) setDns(`${to}.corp.example`); })}
        {text('dns', texts.dns, dns, setDns)}
        {text('group', texts.group, group, setGroup)}
        {text('owner', texts.owner, owner, setOwner, texts.ownerHint)}
        {ca.data === null && <Alert color="blue">{texts.noCa}</Alert>}
        <ProblemAlert error={create.error} />
        <div><Button type="submit" loading={create.isPending}>{texts.make}</Button></div>
      </Stack>
    </form>
  );
}
