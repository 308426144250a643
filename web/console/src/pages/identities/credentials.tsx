/// By what an identity is recognised.
import { Button, Group, NativeSelect, Table, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { credentialKinds, identity as texts } from '../../texts/identities';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
import { credentialText } from './tag';

export function Credentials({ of }: { of: Schemas['Identity'] }) {
  const me = useMe();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [kind, setKind] = useState('san_dns');
  const [value, setValue] = useState('');
  const done = () => { tell(texts.changed); setValue(''); void queries.invalidateQueries(); };
  const params = { path: { id: of.id } };
  const add = useMutation({ mutationFn: (body: Record<string, string>) => ask(api.POST('/api/v1/identities/{id}/credentials', { params, body })), onSuccess: done, meta: { shown: true } });
  const remove = useMutation({ mutationFn: (body: Record<string, string>) => ask(api.POST('/api/v1/identities/{id}/credentials/remove', { params, body })), onSuccess: done });
  const begin = async (credential: Record<string, string>) => {
    if (await confirm({ title: texts.removeCredential, body: texts.removeCredentialBody, hits: [`${of.name}: ${credentialText(credential)}`], action: texts.removeCredential, danger: true })) remove.mutate(credential);
  };
  return (
    <Panel title={texts.credentials}>
      {of.credentials.length === 0 && <Text size="sm">{texts.noCredentials}</Text>}
      <Table>
        <Table.Tbody>
          {of.credentials.map((credential) => (
            <Table.Tr key={credentialText(credential)}>
              <Table.Td className="mono">{credentialText(credential)}</Table.Td>
              <Table.Td w={90}><Act permission="inventory:write" why={of.in_file ? texts.inFile : undefined} variant="subtle" onClick={() => void begin(credential)}>{texts.removeCredential}</Act></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {me.may('inventory:write') && !of.in_file && (
        <form onSubmit={(e) => { e.preventDefault(); add.mutate({ [kind]: value.trim() }); }}>
          <Group gap="xs" align="flex-end" mt="xs">
            <NativeSelect label={texts.credentialKind} value={kind} onChange={(e) => setKind(e.currentTarget.value)} data={Object.entries(credentialKinds).map(([key, label]) => ({ value: key, label }))} />
            <TextInput label={texts.credentialValue} value={value} onChange={(e) => setValue(e.currentTarget.value)} required flex={1} miw={140} />
            <Button type="submit" variant="default" loading={add.isPending}>{texts.addCredential}</Button>
          </Group>
          <ProblemAlert error={add.error} />
        </form>
      )}
    </Panel>
  );
}
