import { Table, Text } from '@mantine/core';
import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api, ask } from '../../api/client';
import { session as texts, sessions as words } from '../../texts/sessions';
import { COLORS, Stacked } from '../../ui/chart';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { octets } from '../../ui/octets';
import { Panel } from '../../ui/panel';
import { Scroll } from '../../ui/scroll';
import { span, Time, useClock, written } from '../../ui/time';
import { SessionActions } from './act';
import { Changes } from './changes';
import { whose } from './list';
import { goesOn, SessionTag } from './tag';
import { usageOf } from './usage';

/// How often a session is asked for again, in milliseconds.
const REFRESH_MS = 2_000;

function Usage({ id }: { id: string }) {
  const { zone } = useClock();
  const { data } = useQuery({
    queryKey: ['accounting', id],
    queryFn: () => ask(api.GET('/api/v1/accounting', { params: { query: { session: id, limit: 500 } } })),
    refetchInterval: 15_000,
  });
  const steps = usageOf(data?.items ?? []);
  return (
    <Panel title={texts.usage} className="span-6">
      <Text size="xs" c="dimmed" mb="xs">{texts.usageHint}</Text>
      {steps.length === 0 ? <Text size="sm">{texts.noUsage}</Text> : (
        <Stacked
          label={texts.usage}
          series={[
            { name: texts.bytesIn, color: COLORS.info, values: steps.map((step) => step.input) },
            { name: texts.bytesOut, color: COLORS.ok, values: steps.map((step) => step.output) },
          ]}
          format={octets}
          names={steps.map((step) => written(step.at, zone))}
          ends={[written(steps[0]?.at ?? 0, zone, false), written(steps.at(-1)?.at ?? 0, zone, false)]}
        />
      )}
    </Panel>
  );
}

export default function SessionPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const { data: s } = useSuspenseQuery({
    queryKey: ['session', id],
    queryFn: () => ask(api.GET('/api/v1/sessions/{id}', { params: { path: { id } } })),
    refetchInterval: REFRESH_MS,
  });
  const who = whose(s);
  return (
    <PageFrame title={texts.title(who)} hint={<><To to="/sessions" search={{ live: 'true' }}>{texts.back}</To> &middot; <SessionTag of={s.state} /></>} actions={<SessionActions id={s.id} who={who} over={!goesOn(s.state)} />}>
      <div className="grid">
        <Panel title={texts.what} className="span-6">
          <Facts of={[
            [texts.identity, s.identity && <To to="/identities" search={{ name: s.identity }}>{s.identity}</To>],
            ['User-Name', s.user_name],
            [words.started, <Time at={s.started_at} exact key="s" />],
            [words.last, <Time at={s.last_at} key="l" />],
            [texts.ended, s.stopped_at && <Time at={s.stopped_at} exact />],
            [texts.cause, s.terminate_cause ?? (s.inferred_because && texts.inferred[s.inferred_because])],
            [texts.confirmed, s.disconnect_confirmed_at && <Time at={s.disconnect_confirmed_at} />],
            [texts.duration, s.session_time_secs > 0 && span(s.session_time_secs)],
            [words.usage, `${octets(s.input_octets)} / ${octets(s.output_octets)}`],
            [texts.resets, s.counter_resets > 0 && s.counter_resets],
            [words.profile, s.profile],
            [texts.decision, s.decision && <To to={`/decisions/${s.decision}`}>{texts.showDecision}</To>],
          ]} />
        </Panel>
        <Panel title={texts.where} className="span-6">
          <Facts of={[
            [words.nas, <To to={`/nas/${encodeURIComponent(s.nas.name)}`} key="nas">{s.nas.name}</To>],
            [words.port, s.nas.port],
            ['NAS-IP-Address', s.nas.address],
            [words.mac, s.mac && <><span className="mono">{s.mac}</span> &middot; <To to="/sessions" search={{ mac: s.mac }}>{texts.history}</To></>],
            [words.ip, [s.framed_ip, s.framed_ipv6].filter(Boolean).join(', ')],
            ['Calling-Station-Id', s.calling_station],
            ['Called-Station-Id', s.called_station],
            ['Acct-Session-Id', s.acct_session_id],
            ['Acct-Multi-Session-Id', s.acct_multi_session_id],
          ]} />
        </Panel>
        <Panel title={texts.changes} className="span-12">
          {s.changes && s.changes.length > 0 ? <Changes of={s.changes} /> : <Text size="sm" c="dimmed">{texts.noChanges}</Text>}
        </Panel>
        <Usage id={s.id} />
        <Panel title={texts.addresses} className="span-6">
          {s.addresses.length === 0 ? <Text size="sm">{texts.noAddresses}</Text> : (
            <Scroll label={texts.addresses}>
              <Table>
                <Table.Thead><Table.Tr><Table.Th>{words.ip}</Table.Th><Table.Th>{words.started}</Table.Th><Table.Th>{words.last}</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {s.addresses.map((a) => <Table.Tr key={`${a.address} ${a.first_at}`}><Table.Td className="mono">{a.address}</Table.Td><Table.Td><Time at={a.first_at} exact /></Table.Td><Table.Td><Time at={a.last_at} exact /></Table.Td></Table.Tr>)}
                </Table.Tbody>
              </Table>
            </Scroll>
          )}
        </Panel>
      </div>
    </PageFrame>
  );
}
