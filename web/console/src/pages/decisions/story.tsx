import { Alert, Button, Group, SimpleGrid, Stack, Table, Text, TextInput, Timeline } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { common } from '../../texts/common';
import { decisions as words, story as texts } from '../../texts/decisions';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import { Outcome, Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Prose, Time, span } from '../../ui/time';
import { Changes } from '../sessions/changes';
import { course, microseconds, type Whole } from './course';
import { whyNot, type Answer, type NamedProfile } from './why_not';

const explain = (decision: string) => ask(api.POST('/api/v1/policy/explain', { body: { decision } }));

const TONES = { ok: 'green', bad: 'red', warn: 'yellow', info: 'gray' } as const;

/// Every request of the network device, and its answer.
function Packets({ of }: { of: Whole }) {
  return (
    <Scroll label={texts.packets(of.course.length)}>
      <Table data-testid="packets">
        <Table.Thead><Table.Tr><Table.Th>{texts.after}</Table.Th><Table.Th>{texts.received}</Table.Th><Table.Th>{texts.sent}</Table.Th><Table.Th>{texts.repeated}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {of.course.map((round) => (
            <Table.Tr key={round.after_us}>
              <Table.Td>{microseconds(round.after_us)}</Table.Td>
              <Table.Td>{carriedText(round.received)}</Table.Td>
              <Table.Td>{round.sent ? carriedText(round.sent) : texts.silence}</Table.Td>
              <Table.Td>{round.repeated > 0 && <Tag tone="warn">{texts.times(round.repeated)}</Tag>}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

const carriedText = (turn: Schemas['Turn']): string => `${texts.carried[turn.carried] ?? turn.carried}, ${turn.octets}`;

function Conversation({ of }: { of: Whole }) {
  const [open, { toggle }] = useDisclosure(false);
  return (
    <Panel title={texts.conversation}>
      <Timeline bulletSize={14} lineWidth={2} active={-1}>
        {course(of).map((step) => (
          <Timeline.Item key={step.title} title={<Text size="sm" fw={500}>{step.title}</Text>} bullet={<span className="bullet" data-tone={step.tone} />} color={TONES[step.tone]}>
            {step.hint && <Text size="xs" c="dimmed">{step.hint}</Text>}
          </Timeline.Item>
        ))}
      </Timeline>
      {of.course.length > 0 && (
        <>
          <Button variant="subtle" mt="xs" onClick={toggle} aria-expanded={open} rightSection={<Icon name={open ? 'down' : 'chevron'} size={12} />}>{texts.packets(of.course.length)}</Button>
          {open && <Packets of={of} />}
        </>
      )}
    </Panel>
  );
}

/// Whether the policy was asked: what fails before, such as a certificate that has expired, is no matter of rules.
const wasAsked = (of: Whole): boolean => (of.method === 'eap-tls' || of.method === 'mab') && typeof of.facts.find((fact) => fact.name === 'time.hour')?.value === 'number';

function Rules({ of }: { of: Whole }) {
  const asked = wasAsked(of);
  const { data, error, refetch, isFetching } = useQuery({ queryKey: ['explain', of.id], queryFn: () => explain(of.id), staleTime: 0, enabled: asked });
  const same = data && (data.outcome === 'permit') === (of.outcome === 'accept') && (data.profile ?? null) === (of.profile ?? null);
  if (!asked) return <Panel title={texts.rules} className="span-12"><Text size="sm">{texts.notAsked}</Text></Panel>;
  return (
    <Panel title={texts.rules} className="span-12" actions={<Button variant="default" leftSection={<Icon name="replay" size={14} />} loading={isFetching} onClick={() => void refetch()}>{texts.replay}</Button>}>
      <Text size="xs" c="dimmed">{texts.rulesHint} {texts.rulesThen(of.policy_revision)}</Text>
      <ProblemAlert error={error} />
      {data && (
        <>
          <Text size="sm" my="xs" data-testid="replayed">
            <Tag tone={same ? 'ok' : 'warn'}>{same ? texts.same : texts.other(data.outcome === 'permit' ? texts.granted(data.profile ?? '') : (data.barred ?? texts.refused))}</Tag>
          </Text>
          <Scroll label={texts.rules}>
            <Table>
              <Table.Thead><Table.Tr><Table.Th>{texts.order}</Table.Th><Table.Th>{texts.rule}</Table.Th><Table.Th>{texts.effect}</Table.Th><Table.Th>{texts.verdict}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {data.rules.map((rule) => (
                  <Table.Tr key={rule.id}>
                    <Table.Td>{rule.order}</Table.Td>
                    <Table.Td><b>{rule.id}</b></Table.Td>
                    <Table.Td>{rule.effect}{rule.profile && ` ${rule.profile}`}</Table.Td>
                    <Table.Td>{rule.verdict === 'matches'
                      ? <Tag tone={data.decided_by.includes(rule.id) ? 'ok' : 'info'}>{data.decided_by.includes(rule.id) ? `${texts.matches}, ${texts.decidedBy}` : texts.matches}</Tag>
                      : <Text size="sm" c="dimmed">{rule.verdict}</Text>}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scroll>
          {data.errors.map((error) => <Text size="sm" c="red" key={error}>{error}</Text>)}
        </>
      )}
    </Panel>
  );
}

function WhyNot({ of }: { of: Whole }) {
  const asked = wasAsked(of);
  const [wanted, setWanted] = useState('');
  const answer = useMutation({
    mutationFn: async (text: string): Promise<Answer> => {
      if (!asked) return { lead: texts.whyNotEarlier(of.cause), rules: [] };
      const [explained, profiles] = await Promise.all([
        explain(of.id),
        ask(api.GET('/api/v1/profiles', { params: { query: { limit: 500 } } })),
      ]);
      return whyNot(text, (profiles as { items: NamedProfile[] }).items, explained);
    },
    meta: { shown: true },
  });
  return (
    <Panel title={texts.whyNot}>
      <form onSubmit={(e) => { e.preventDefault(); if (wanted.trim()) answer.mutate(wanted.trim()); }}>
        <Group gap="xs" align="flex-end">
          <TextInput label={texts.whyNotHint} placeholder="VLAN 20" value={wanted} onChange={(e) => setWanted(e.currentTarget.value)} name="wanted" />
          <Button type="submit" variant="default" loading={answer.isPending}>{texts.whyNotAsk}</Button>
        </Group>
      </form>
      <ProblemAlert error={answer.error} />
      {answer.data && (
        <Stack gap={4} mt="sm" data-testid="why-not" aria-live="polite">
          <Text size="sm">{answer.data.lead}</Text>
          {answer.data.rules.map((rule) => <Text size="sm" key={rule.said}>{rule.said} {rule.verdict && <b>{rule.verdict}</b>}</Text>)}
        </Stack>
      )}
    </Panel>
  );
}

const shown = (value: unknown): string => {
  if (value === null || value === undefined) return texts.notKnown;
  if (Array.isArray(value)) return value.map(shown).join(', ') || common.none;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

function KnownFacts({ of }: { of: Whole }) {
  const [filter, setFilter] = useState('');
  const text = filter.trim().toLowerCase();
  const facts = of.facts.filter((fact) => !text || `${fact.name} ${shown(fact.value)} ${fact.source}`.toLowerCase().includes(text));
  return (
    <Panel title={texts.facts} className="span-12" actions={<TextInput aria-label={texts.filterFacts} placeholder={texts.filterFacts} value={filter} onChange={(e) => setFilter(e.currentTarget.value)} />}>
      <Text size="xs" c="dimmed" mb="xs">{texts.factsHint}</Text>
      <Scroll label={texts.facts} height={420}>
        <Table stickyHeader>
          <Table.Thead><Table.Tr><Table.Th>{texts.fact}</Table.Th><Table.Th>{texts.value}</Table.Th><Table.Th>{texts.source}</Table.Th><Table.Th>{texts.age}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {facts.map((fact) => (
              <Table.Tr key={fact.name}>
                <Table.Td className="mono">{fact.name}</Table.Td>
                <Table.Td className="mono">{fact.value === null ? <Text span size="xs" c="dimmed">{texts.notKnown}</Text> : shown(fact.value)}</Table.Td>
                <Table.Td>{fact.source}</Table.Td>
                <Table.Td>{span((new Date(of.at).getTime() - new Date(fact.at).getTime()) / 1000)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
    </Panel>
  );
}

function Reply({ of }: { of: Whole }) {
  return (
    <Panel title={texts.reply}>
      <Text size="xs" c="dimmed" mb="xs">{texts.replyHint}</Text>
      {of.reply.length === 0 ? <Text size="sm">{texts.noReply}</Text> : (
        <Scroll label={texts.reply}>
          <pre className="mono reply">{of.reply.map((a: Schemas['Attribute']) => `${a.name} = ${a.value}`).join('\n')}</pre>
        </Scroll>
      )}
    </Panel>
  );
}

export default function Story() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const { data: d } = useSuspenseQuery({ queryKey: ['decision', id], queryFn: () => ask(api.GET('/api/v1/decisions/{id}', { params: { path: { id } } })) });
  const queries = useQueryClient();
  const confirm = useConfirm();
  const pin = useMutation({
    mutationFn: (name: string) => ask(api.POST('/api/v1/policy/pin', { body: { decision: id, name: name || undefined } })),
    onSuccess: (done) => {
      tell('revision' in done ? texts.pinned : texts.pinProposed);
      void queries.invalidateQueries({ queryKey: ['policy'] });
    },
  });
  const who = d.identity?.name ?? d.outer_identity ?? d.mac ?? texts.somebody;
  const askPin = async () => {
    const said = await confirm({ title: texts.pinTitle, body: texts.pinBody, action: texts.pin, hits: [who] });
    if (said) pin.mutate('');
  };
  return (
    <PageFrame
      title={texts.title(who)}
      hint={<><To to="/decisions">{texts.back}</To> &middot; <Time at={d.at} exact /></>}
      actions={<Act permission="policy:activate" icon="pin" why={wasAsked(d) ? undefined : texts.notAsked} onClick={() => void askPin()} loading={pin.isPending}>{texts.pin}</Act>}
    >
      <div className="grid">
        <Alert className="span-12" color={d.outcome === 'accept' ? 'green' : d.outcome === 'reject' ? 'red' : 'yellow'} variant="light" p="md" data-testid="verdict">
          <Group gap="sm" mb={4}><Outcome of={d.outcome} /><Text fw={600} size="md">{d.cause}</Text></Group>
          <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
            {d.detail && <div><Text size="xs" c="dimmed">{texts.detail}</Text><Text size="sm" className="anywhere"><Prose>{d.detail}</Prose></Text></div>}
            {d.outcome !== 'accept' && <div><Text size="xs" c="dimmed">{texts.todo}</Text><Text size="sm" data-testid="remedy">{d.remedy}</Text></div>}
          </SimpleGrid>
          {!d.enforced && <Text size="sm" mt="xs">{texts.observed}</Text>}
          {d.warnings.length > 0 && <div><Text size="xs" c="dimmed" mt="xs">{texts.warnings}</Text>{d.warnings.map((warning) => <Text size="sm" key={warning}>{warning}</Text>)}</div>}
        </Alert>
        <div className="cols span-12"><div>
        <Conversation of={d} />
        <WhyNot of={d} />
        </div><div>
        <Panel title={texts.place}>
          <Facts of={[
            [words.nas, <To to={`/nas/${encodeURIComponent(d.nas.name)}`} key="nas">{d.nas.name}</To>],
            [texts.device, d.nas.device],
            [texts.port, d.nas.port],
            [words.ssid, shown(d.facts.find((fact) => fact.name === 'nas.ssid')?.value ?? '')],
            [words.mac, d.mac && <><span className="mono">{d.mac}</span> &middot; <To to="/decisions" search={{ mac: d.mac }}>{texts.allOfMac}</To></>],
            [words.who, d.identity && <To to={`/identities/${d.identity.id}`}>{d.identity.name} ({d.identity.kind})</To>],
            [words.profile, d.profile],
            [words.method, d.method],
            [texts.session, d.outcome === 'accept' && d.mac && <To to="/sessions" search={{ mac: d.mac, live: 'true' }}>{texts.showSession}</To>],
          ]} />
        </Panel>
        <Reply of={d} />
        </div></div>
        <Rules of={d} />
        {d.changes && d.changes.length > 0 && <Panel title={texts.changes} className="span-12"><Changes of={d.changes} /></Panel>}
        <KnownFacts of={d} />
      </div>
    </PageFrame>
  );
}
