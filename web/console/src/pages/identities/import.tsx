import { Button, FileButton, Group, List, Stack, Table, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { importing as texts } from '../../texts/identities';
import { PageFrame } from '../../ui/heading';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import { tell } from '../../ui/tell';
import { read } from './csv';

const EXAMPLE = 'kind,name,owner,purpose,groups,mac,san_dns\ndevice,printer-1,facilities@corp.example,prints,printers,02:00:5e:00:00:21,\n';
/// Changes and mistakes that are listed; all are counted.
const LISTED = 200;

/// What planning wants.
const PLAN = ['inventory:write', 'gear:write', 'policy:write'];

interface Preview {
  identities: Schemas['NewIdentity'][];
  plan?: Schemas['PlanView'];
}

export default function Import() {
  const [text, setText] = useState('');
  const me = useMe();
  // A plan tells of gear and rules too: who may not change those is not shown it.
  const mayPlan = PLAN.every(me.may);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const table = text.trim() ? read(text) : undefined;
  const preview = useMutation({
    mutationFn: async (identities: Schemas['NewIdentity'][]): Promise<Preview> => {
      if (!mayPlan) return { identities };
      // What is planned is what would be done: the same way, without its end.
      const plan = await ask(api.POST('/api/v1/apply', { params: { query: { plan: true } }, body: { document: { identity: identities } as never } }));
      return { identities, plan };
    },
    meta: { shown: true },
  });
  const carryOut = useMutation({
    mutationFn: (identities: Schemas['NewIdentity'][]) => ask(api.POST('/api/v1/identities/bulk', { body: { identities } })),
    meta: { shown: true },
    onSuccess: (done) => {
      tell(texts.done(done.created, done.updated, done.unchanged));
      void queries.invalidateQueries();
      void navigate({ to: '/identities' as never });
    },
  });
  const change = (to: string) => { setText(to); preview.reset(); carryOut.reset(); };
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <Stack gap="sm">
        <Text size="sm">{texts.columns}</Text>
        <Textarea label={texts.text} name="table" value={text} onChange={(e) => change(e.currentTarget.value)} placeholder={EXAMPLE} autosize minRows={6} maxRows={16} spellCheck={false} classNames={{ input: 'mono' }} />
        <Group gap="xs">
          <FileButton accept=".csv,text/csv,text/plain" onChange={(file) => { if (file) void file.text().then(change); }}>{(props) => <Button {...props} variant="default">{texts.file}</Button>}</FileButton>
          <Button disabled={!table || table.wrong.length > 0} loading={preview.isPending} onClick={() => table && preview.mutate(table.identities)}>{texts.preview}</Button>
        </Group>
        {table && table.wrong.length > 0 && (
          <Panel title={texts.problems(table.wrong.length)}>
            <List size="sm" data-testid="wrong">{table.wrong.slice(0, LISTED).map((one, n) => <List.Item key={n}>{texts.line} {one.line}: {one.what}</List.Item>)}</List>
          </Panel>
        )}
        <ProblemAlert error={preview.error ?? carryOut.error} />
        {preview.data && (
          <Panel title={texts.preview} actions={<Button loading={carryOut.isPending} onClick={() => carryOut.mutate(preview.data.identities)}>{texts.import(preview.data.identities.length)}</Button>}>
            <Text size="sm" mb="xs" data-testid="plan">{texts.read(preview.data.identities.length)} {preview.data.plan ? texts.plan(preview.data.plan.changes_in_all, preview.data.plan.unchanged) : texts.noPlan(PLAN.filter((one) => !me.may(one)))}</Text>
            {preview.data.plan?.warnings.map((warning) => <Text size="sm" key={warning}>{warning}</Text>)}
            {preview.data.plan && (
              <Scroll label={texts.preview} height={360}>
                <Table stickyHeader>
                  <Table.Thead><Table.Tr><Table.Th>{texts.change}</Table.Th><Table.Th>{texts.object}</Table.Th><Table.Th>{texts.fields}</Table.Th></Table.Tr></Table.Thead>
                  <Table.Tbody>
                    {preview.data.plan.changes.slice(0, LISTED).map((one) => (
                      <Table.Tr key={`${one.kind} ${one.name}`}><Table.Td>{one.action}</Table.Td><Table.Td>{one.name}</Table.Td><Table.Td>{one.fields.map((field) => field.name).join(', ')}</Table.Td></Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Scroll>
            )}
          </Panel>
        )}
      </Stack>
    </PageFrame>
  );
}
