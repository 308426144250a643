import { List, Table, Text } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { api, ask } from '../../api/client';
import { endpoints as texts } from '../../texts/endpoints';
import { Act } from '../../ui/act';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { Scroll } from '../../ui/scroll';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';

export default function EndpointPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const navigate = useNavigate();
  const { data: e } = useSuspenseQuery({ queryKey: ['endpoint', id], queryFn: () => ask(api.GET('/api/v1/endpoints/{id}', { params: { path: { id } } })) });
  const { fingerprint } = e;
  const adopt = () => void navigate({ to: '/identities/new' as never, search: { mac: e.mac ?? undefined, kind: 'device' } as never });
  return (
    <PageFrame
      title={texts.title_(e.mac ?? e.id)}
      hint={<To to="/endpoints">{texts.back}</To>}
      actions={!e.identity && e.mac && <Act permission="inventory:write" icon="plus" onClick={adopt}>{texts.adopt}</Act>}
    >
      <div className="grid">
        <Panel title={texts.what} className="span-6">
          <Facts of={[
            [texts.identity, e.identity ? <To to={`/identities/${e.identity.id}`}>{e.identity.name} ({e.identity.kind})</To> : <Tag tone="warn">{texts.unknown}</Tag>],
            [texts.category, e.category && `${e.category}, ${texts.confidence(e.confidence)}`],
            [texts.os, e.os],
            [texts.vendor, e.vendor],
            [texts.randomized, e.randomized ? texts.randomizedYes : texts.randomizedNo],
            [texts.told, texts.knownBy[e.known_by]],
            [texts.macs, <span className="mono" key="m">{e.macs.join(', ')}</span>],
            [texts.first, <Time at={e.first_at} exact key="f" />],
            [texts.last, <Time at={e.last_at} exact key="l" />],
            ['', e.mac && <To to="/decisions" search={{ mac: e.mac }}>{texts.logins}</To>],
          ]} />
        </Panel>
        <Panel title={texts.evidence} className="span-6">
          {fingerprint.evidence.length === 0 && <Text size="sm" c="dimmed">{texts.none}</Text>}
          <List size="sm" className="anywhere">{fingerprint.evidence.map((one, n) => <List.Item key={n}>{Object.values(one).filter((value) => value !== null).map(String).join(' ')}</List.Item>)}</List>
        </Panel>
        <Panel title={texts.places} className="span-6">
          <Scroll label={texts.places}>
            <Table>
              <Table.Thead><Table.Tr><Table.Th>{texts.nas}</Table.Th><Table.Th>{texts.port}</Table.Th><Table.Th>{texts.since}</Table.Th><Table.Th>{texts.until}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {e.places.map((p) => (
                  <Table.Tr key={`${p.nas.name} ${p.nas.port} ${p.first_at}`}>
                    <Table.Td><To to={`/nas/${encodeURIComponent(p.nas.name)}`}>{p.nas.name}</To></Table.Td>
                    <Table.Td>{p.ssid ?? p.nas.port}</Table.Td>
                    <Table.Td><Time at={p.first_at} /></Table.Td>
                    <Table.Td>{p.present ? <Tag tone="ok">{texts.present}</Tag> : <Time at={p.last_at} />}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scroll>
        </Panel>
        <Panel title={texts.ips} className="span-6">
          {e.ips.length === 0 && <Text size="sm" c="dimmed">{texts.none}</Text>}
          <List size="sm">{e.ips.map((ip) => <List.Item key={ip.ip}><span className="mono">{ip.ip}</span> <Text span size="sm" c="dimmed"><Time at={ip.first_at} /></Text></List.Item>)}</List>
        </Panel>
        {e.certificate && (
          <Panel title={texts.certificate} className="span-6">
            <Facts of={Object.entries(e.certificate as Record<string, unknown>).map(([key, value]) => [key.replaceAll('_', ' '), Array.isArray(value) ? value.join(', ') : value === null ? '' : String(value)])} />
          </Panel>
        )}
        <Panel title={texts.signals} className="span-6">
          {e.signals.length === 0 && <Text size="sm" c="dimmed">{texts.noSignals}</Text>}
          <List size="sm">{e.signals.map((s) => <List.Item key={s.id}><b>{s.cause}</b> {s.detail} <Text span size="sm" c="dimmed"><Time at={s.at} /> {s.remedy}</Text></List.Item>)}</List>
        </Panel>
      </div>
    </PageFrame>
  );
}
