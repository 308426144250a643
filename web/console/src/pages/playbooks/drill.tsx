/// A playbook tried against somebody who is there for it, and how long each part took.
import { Alert, Button, Checkbox, Group, Stack, Table, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { common } from '../../texts/common';
import { drill as texts } from '../../texts/playbooks';
import { Dialog } from '../../ui/dialog';
import { IdentityField, useNamed } from '../../ui/identity';
import { To } from '../../ui/link';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import './playbooks.css';
import { StepList } from './steps';

type Report = Schemas['DrillReport'];

const ms = (value: number | null) => (value === null ? texts.never : `${value.toLocaleString('en')} ms`);

function Timing({ of }: { of: Report }) {
  return (
    <Stack gap="sm" data-testid="drill">
      <Text size="sm">{of.run.purpose === 'drill' && of.contained_ms !== null ? texts.contained(ms(of.contained_ms), of.live_sessions) : texts.only(of.live_sessions)}</Text>
      <StepList of={of.run.steps} />
      {of.sessions.length > 0 && (
        <Scroll label={texts.sessions}>
          <Table className="timing">
            <Table.Thead><Table.Tr>{[texts.nas, texts.decided, texts.sent, texts.acked].map((one) => <Table.Th key={one}>{one}</Table.Th>)}</Table.Tr></Table.Thead>
            <Table.Tbody>
              {of.sessions.map((one) => (
                <Table.Tr key={one.change}><Table.Td><To to={`/nas/${encodeURIComponent(one.nas)}`}>{one.nas}</To></Table.Td><Table.Td>{ms(one.decided_ms)}</Table.Td><Table.Td>{ms(one.sent_ms)}</Table.Td><Table.Td>{ms(one.acked_ms)}</Table.Td></Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
      <Text size="xs" c="dimmed">{texts.counts}</Text>
    </Stack>
  );
}

export function DrillDialog({ playbook, close }: { playbook: string; close: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [enforce, setEnforce] = useState(false);
  const named = useNamed(name);
  const run = useMutation({
    mutationFn: (identity: string) => ask(api.POST('/api/v1/playbooks/{name}/drill', { params: { path: { name: playbook } }, body: { identity, enforce } as never })),
    meta: { shown: true },
    onSuccess: () => void queries.invalidateQueries(),
  });
  return (
    <Dialog opened onClose={close} title={texts.title(playbook)} size="lg">
      <form onSubmit={(e) => { e.preventDefault(); if (named.identity) run.mutate(named.identity.id); }}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">{texts.hint}</Text>
          <IdentityField of={named} label={texts.whom} description={texts.whomHint} value={name} onChange={setName} data-autofocus />
          <Checkbox name="enforce" label={texts.enforce} description={texts.enforceHint} checked={enforce} onChange={(e) => setEnforce(e.currentTarget.checked)} />
          {enforce && named.identity && <Alert color="yellow"><Text size="sm" data-testid="hits">{texts.hits(named.identity.name)}</Text></Alert>}
          <ProblemAlert error={run.error} />
          {run.data && <Timing of={run.data} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{run.data ? common.close : common.cancel}</Button>
            <Button type="submit" disabled={!named.identity} loading={run.isPending} color={enforce ? 'red' : undefined}>{run.data ? texts.again : enforce ? texts.begin : texts.rehearse}</Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
