import { Alert, List, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { decisions as loginWords } from '../../texts/decisions';
import { identities as words, identity as texts, identityForm } from '../../texts/identities';
import { sessions as sessionWords } from '../../texts/sessions';
import { Act } from '../../ui/act';
import { Dialog } from '../../ui/dialog';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import { Outcome } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';
import { SessionTag } from '../sessions/tag';
import { IdentityActions } from './act';
import { Contained, useContainments } from './containments';
import { Credentials } from './credentials';
import { bodyOf, IdentityForm, type Draft } from './form';
import { useGroups } from './groups';
import { PostureTag, RiskTag, StatusTag } from './tag';

type Identity = Schemas['Identity'];

/// How many sessions, logins and changes are shown; the lists have all.
const SHOWN = 8;
/// How often what goes on is asked for again, in milliseconds.
const REFRESH_MS = 2_000;

function Listed({ title, head, error, none, count, more, children, span }: { title: string; head: string[]; error: unknown; none: string; count: number | undefined; more?: ReactNode; children: ReactNode; span?: string }) {
  return (
    <Panel title={title} className={span} actions={more}>
      <ProblemAlert error={error} />
      {count === 0 && <Text size="sm" c="dimmed">{none}</Text>}
      {count !== undefined && count > 0 && (
        <Scroll label={title}>
          <Table><Table.Thead><Table.Tr>{head.map((one) => <Table.Th key={one}>{one}</Table.Th>)}</Table.Tr></Table.Thead><Table.Tbody>{children}</Table.Tbody></Table>
        </Scroll>
      )}
    </Panel>
  );
}

function Sessions({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['sessions', 'of', of.name], queryFn: () => ask(api.GET('/api/v1/sessions', { params: { query: { identity: of.name, limit: SHOWN } } })), refetchInterval: REFRESH_MS });
  return (
    <Listed title={texts.sessions} head={[sessionWords.stateHead, sessionWords.profile, sessionWords.nas, sessionWords.ip, sessionWords.started]} error={error} none={texts.noSessions} count={data?.items.length} more={<To to="/sessions" search={{ identity: of.name }}>{texts.allSessions}</To>}>
      {data?.items.map((s) => (
        <Table.Tr key={s.id} data-testid="session">
          <Table.Td><To to={`/sessions/${s.id}`}><SessionTag of={s.state} /></To></Table.Td>
          <Table.Td>{s.profile}</Table.Td>
          <Table.Td>{s.nas.name} {s.nas.port}</Table.Td>
          <Table.Td>{s.framed_ip ?? s.framed_ipv6}</Table.Td>
          <Table.Td><Time at={s.started_at} /></Table.Td>
        </Table.Tr>
      ))}
    </Listed>
  );
}

function Logins({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['decisions', 'of', of.name], queryFn: () => ask(api.GET('/api/v1/decisions', { params: { query: { identity: of.name, limit: SHOWN } } })), refetchInterval: REFRESH_MS });
  return (
    <Listed title={texts.logins} head={[loginWords.at, loginWords.outcomeHead, loginWords.profile, loginWords.nas]} error={error} none={texts.noLogins} count={data?.items.length} more={<To to="/decisions" search={{ identity: of.name }}>{texts.allSessions}</To>}>
      {data?.items.map((d) => (
        <Table.Tr key={d.id}>
          <Table.Td><To to={`/decisions/${d.id}`}><Time at={d.at} /></To></Table.Td>
          <Table.Td><Outcome of={d.outcome} /></Table.Td>
          <Table.Td>{d.profile}</Table.Td>
          <Table.Td>{d.nas.name}</Table.Td>
        </Table.Tr>
      ))}
    </Listed>
  );
}

function Certificates({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['certificates', of.id], queryFn: () => ask(api.GET('/api/v1/ca/certificates', { params: { query: { identity: of.id, limit: SHOWN } } })) });
  return (
    <Listed title={texts.certificates} head={[texts.serial, texts.issued, texts.until]} error={error} none={texts.noCertificates} count={data?.items.length}>
      {data?.items.map((c) => (
        <Table.Tr key={c.serial}>
          <Table.Td className="mono">{c.serial}</Table.Td>
          <Table.Td><Time at={c.issued_at} /></Table.Td>
          <Table.Td>{c.revoked_at ? texts.revokedAt : <Time at={c.not_after} />}</Table.Td>
        </Table.Tr>
      ))}
    </Listed>
  );
}

function Posture({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['posture', of.id], queryFn: () => ask(api.GET('/api/v1/identities/{id}/posture', { params: { path: { id: of.id } } })) });
  return (
    <Panel title={texts.posture} actions={data && <PostureTag of={data.status} />}>
      <ProblemAlert error={error} />
      {data && data.findings.length === 0 && <Text size="sm" c="dimmed">{data.reported_at ? <Time at={data.reported_at} /> : texts.noPosture}</Text>}
      <List size="sm">{data?.findings.map((f) => <List.Item key={`${f.policy} ${f.check}`}><b>{f.check}</b>: {f.wanted}. <Text span size="sm" c="dimmed">{f.remedy}</Text></List.Item>)}</List>
    </Panel>
  );
}

function Risk({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['risk', of.id], queryFn: () => ask(api.GET('/api/v1/identities/{id}/risk', { params: { path: { id: of.id } } })) });
  return (
    <Panel title={texts.risk} actions={data && <RiskTag of={data.level} />}>
      <ProblemAlert error={error} />
      {data && <Text size="xs" c="dimmed" mb="xs">{texts.riskScore(data.score.toFixed(0), data.medium.toFixed(0), data.high.toFixed(0))}</Text>}
      {data?.factors.length === 0 && <Text size="sm" c="dimmed">{texts.noRisk}</Text>}
      <List size="sm">{data?.factors.map((f) => <List.Item key={f.signal}><b>{f.weight.toFixed(0)}</b> {f.cause} <Text span size="sm" c="dimmed">{f.detail} <Time at={f.at} /></Text></List.Item>)}</List>
    </Panel>
  );
}

/// A value of a field in words.
function said(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return value.map(said).join(', ') || '-';
  if (typeof value === 'object') return Object.entries(value).map(([key, one]) => `${key} ${said(one)}`).join(', ');
  return String(value);
}

function History({ of }: { of: Identity }) {
  const { data, error } = useQuery({ queryKey: ['history', of.id], queryFn: () => ask(api.GET('/api/v1/identities/{id}/history', { params: { path: { id: of.id }, query: { limit: SHOWN } } })) });
  return (
    <Listed title={texts.history} head={[loginWords.at, texts.author, texts.action, texts.fields]} error={error} none={texts.noHistory} count={data?.items.length} span="span-12">
      {data?.items.map((h) => (
        <Table.Tr key={h.id}>
          <Table.Td><Time at={h.at} /></Table.Td>
          <Table.Td>{h.author}</Table.Td>
          <Table.Td>{h.action}</Table.Td>
          <Table.Td>{Object.entries(h.fields).map(([field, change]) => {
            const { old, new: now } = (change ?? {}) as { old?: unknown; new?: unknown };
            return <div key={field}><b>{field}</b> {said(now)} {old !== null && old !== undefined && <Text span size="xs" c="dimmed">{texts.was} {said(old)}</Text>}</div>;
          })}</Table.Td>
        </Table.Tr>
      ))}
    </Listed>
  );
}

function Edit({ of, close }: { of: Identity; close: () => void }) {
  const queries = useQueryClient();
  const groups = useGroups();
  const save = useMutation({
    mutationFn: ({ draft, reason }: { draft: Draft; reason: string }) => {
      const { kind: _, ...body } = bodyOf(draft);
      return ask(api.PATCH('/api/v1/identities/{id}', { params: { path: { id: of.id }, query: { reason: reason || undefined } }, body: body as never }));
    },
    meta: { shown: true },
    onSuccess: () => { tell(texts.changed); void queries.invalidateQueries(); close(); },
  });
  const begin: Draft = { kind: of.kind, name: of.name, owner: of.owner ?? '', purpose: of.purpose ?? '', groups: of.groups, environment: of.environment ?? '', autonomy: of.autonomy === null ? '' : String(of.autonomy), credential: '', value: '' };
  return (
    <Dialog opened onClose={close} title={identityForm.edit(of.name)}>
      <IdentityForm begin={begin} groups={groups} isNew={false} busy={save.isPending} error={save.error} save={(draft, reason) => save.mutate({ draft, reason })} cancel={close} />
    </Dialog>
  );
}

export default function IdentityPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const { data: i } = useSuspenseQuery({ queryKey: ['identity', id], queryFn: () => ask(api.GET('/api/v1/identities/{id}', { params: { path: { id } } })) });
  const contained = useContainments(id);
  const [editing, edit] = useDisclosure(false);
  return (
    <PageFrame
      title={i.name}
      hint={<><To to="/identities" search={{ kind: i.kind }}>{texts.back}</To> &middot; {words.kindOf[i.kind] ?? i.kind} &middot; <StatusTag of={i.status} /></>}
      actions={<><Act permission="inventory:write" icon="edit" why={i.in_file ? texts.inFile : undefined} onClick={edit.open}>{texts.edit}</Act><IdentityActions of={i} /></>}
    >
      <div className="grid">
        <Contained name={i.name} query={contained} />
        {i.orphaned && <Alert className="span-12" color="yellow" icon={<Icon name="warning" />} title={texts.orphan}>{i.orphaned}</Alert>}
        <div className="cols span-12"><div>
        <Panel title={texts.facts}>
          <Facts of={[
            [words.owner, i.owner && <To to="/identities" search={{ owner: i.owner }}>{i.owner}</To>],
            [texts.purpose, i.purpose],
            [words.groups, i.groups.join(', ')],
            [texts.autonomy, i.autonomy],
            [texts.environment, i.environment],
            [texts.expires, i.expires && <Time at={i.expires} exact />],
            [texts.attributes, Object.entries(i.attributes).map(([key, value]) => `${key} = ${value}`).join(', ')],
            ['', i.in_file && <Text size="xs" c="dimmed">{texts.inFile}</Text>],
          ]} />
        </Panel>
        <Sessions of={i} />
        <Posture of={i} />
        <Certificates of={i} />
        </div><div>
        <Credentials of={i} />
        <Logins of={i} />
        <Risk of={i} />
        </div></div>
        <History of={i} />
      </div>
      {editing && <Edit of={i} close={edit.close} />}
    </PageFrame>
  );
}
