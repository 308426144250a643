import { Alert, Button, Group, NativeSelect, NumberInput, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { certificates as texts } from '../../texts/certificates';
import { common } from '../../texts/common';
import { Dialog } from '../../ui/dialog';
import { IdentityField, useNamed } from '../../ui/identity';
import { ProblemAlert } from '../../ui/problem';
import { saveText } from '../../ui/save';

const KEYS = ['p256', 'p384', 'ed25519', 'rsa2048', 'rsa3072', 'rsa4096'];

/// What was made, to be taken away before the window is closed.
export function Made({ made, done }: { made: Schemas['CertificateMade']; done: () => void }) {
  const file = (made.subject.match(/CN=([^,]+)/)?.[1] ?? made.serial).replaceAll(/[^\w.-]/g, '_');
  return (
    <Stack gap="sm">
      <Text size="sm"><b>{texts.issued(made.subject)}</b></Text>
      <Alert color="yellow">{texts.once}</Alert>
      <Group gap="xs">
        <Button onClick={() => saveText(`${file}.pem`, made.certificate)}>{texts.downloadCertificate}</Button>
        <Button onClick={() => saveText(`${file}.key`, made.private_key)}>{texts.downloadKey}</Button>
        <Button variant="default" onClick={done}>{texts.done}</Button>
      </Group>
    </Stack>
  );
}

export function Issue({ close, begin = '' }: { close: () => void; begin?: string }) {
  const queries = useQueryClient();
  const [name, setName] = useState(begin);
  const [days, setDays] = useState<string | number>('');
  const [key, setKey] = useState('p256');
  const named = useNamed(name);
  const { identity } = named;
  const issue = useMutation({
    mutationFn: (id: string) => ask(api.POST('/api/v1/ca/certificates', { body: { identity: id, key, days: days === '' ? null : Number(days) } })),
    meta: { shown: true },
    onSuccess: () => void queries.invalidateQueries(),
  });
  return (
    <Dialog opened onClose={close} title={texts.issueTitle}>
      {issue.data ? <Made made={issue.data} done={close} /> : (
        <form onSubmit={(e) => { e.preventDefault(); if (identity) issue.mutate(identity.id); }}>
          <Stack gap="sm">
            <Text size="sm" c="dimmed">{texts.issueHint}</Text>
            <IdentityField of={named} label={texts.identity} description={texts.identityHint} value={name} onChange={setName} data-autofocus />
            <Group grow align="flex-start">
              <NumberInput name="days" label={texts.days} description={texts.daysHint} min={1} max={397} value={days} onChange={setDays} />
              <NativeSelect name="key" label={texts.key} description={' '} value={key} onChange={(e) => setKey(e.currentTarget.value)} data={KEYS} />
            </Group>
            <ProblemAlert error={issue.error} />
            <Group justify="flex-end" gap="xs"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" disabled={!identity} loading={issue.isPending}>{texts.issue}</Button></Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
