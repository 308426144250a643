import { Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import type { NasObject } from '../../api/objects';
import { nas as texts } from '../../texts/nas';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/empty';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
import { Time, useClock } from '../../ui/time';
import { keptSecret } from './added';
import { DeviceForm } from './form';
import { Authenticator, Health, type Device } from './health';
import '../../ui/lists.css';
import './nas.css';
import { Check, Snippet } from './setup';

/// Between two looks, in milliseconds.
const REFRESH_MS = 2_000;

/// How one device behaves: the page that begins right before it has it first.
async function deviceOf(name: string): Promise<Device | undefined> {
  let cursor: string | undefined;
  for (;;) {
    const page = await ask(api.GET('/api/v1/nas', { params: { query: { cursor, limit: 500 } } }));
    const found = page.items.find((one) => one.name === name);
    if (found || !page.next) return found;
    cursor = page.next;
  }
}

function Learned({ device }: { device: Device }) {
  if (device.learned.length === 0) return <Panel title={texts.learned}><Text size="sm" c="dimmed">{texts.noLearned}</Text></Panel>;
  return (
    <Panel title={texts.learned}>
      {device.learned.map((one) => (
        <Facts key={one.address} of={[
          [texts.address, <span className="mono" key="a">{one.address}</span>],
          [texts.last, <Time at={one.last_at} key="t" />],
          [texts.requests, one.requests.toLocaleString('en')],
          [texts.identifiers, one.nas_identifiers.join(', ')],
          [texts.ports, one.port_types.join(', ')],
          [texts.methods, one.methods.join(', ')],
          [texts.vendors, one.vendors.join(', ')],
        ]} />
      ))}
    </Panel>
  );
}

function Discards({ name }: { name: string }) {
  const query = useQuery({ queryKey: ['discards'], queryFn: () => ask(api.GET('/api/v1/discards')), refetchInterval: REFRESH_MS });
  const own = query.data?.items.filter((one) => one.nas === name) ?? [];
  if (own.length === 0) return null;
  return (
    <Panel title={texts.discards}>
      <ul className="plain">
        {own.map((one) => <li key={one.reason}><b>{one.count.toLocaleString('en')}</b> {one.cause} <Text span size="sm" c="dimmed">{one.remedy} <Time at={one.last_at} /></Text></li>)}
      </ul>
    </Panel>
  );
}

export default function DevicePage() {
  const { name = '' } = useParams({ strict: false }) as { name?: string };
  const { now } = useClock();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const queries = useQueryClient();
  // What came before this page was opened is of no use to who sets the device up now.
  const [secret] = useState(() => keptSecret(name));
  const [since] = useState(() => (secret ? new Date(Date.now() - 5_000).toISOString() : undefined));
  const [editing, edit] = useDisclosure(false);
  const device = useQuery({ queryKey: ['nas', 'one', name], queryFn: () => deviceOf(name), refetchInterval: REFRESH_MS });
  const object = useQuery({ queryKey: ['nas', 'object', name], queryFn: async () => (await ask<unknown>(api.GET('/api/v1/nas/{name}', { params: { path: { name } } }))) as NasObject });
  const remove = useMutation({
    mutationFn: (reason: string) => ask<unknown>(api.DELETE('/api/v1/nas/{name}', { params: { path: { name }, query: { reason: reason || undefined } } })),
    onSuccess: () => { tell(texts.removed(name)); void queries.invalidateQueries(); void navigate({ to: '/nas' as never }); },
  });
  if (device.isSuccess && !device.data) return <PageFrame title={name}><Empty title={texts.missing(name)} action={<To to="/nas">{texts.title}</To>} /></PageFrame>;
  const why = object.data?.home === 'file' ? texts.inFile : undefined;
  const it = device.data;
  return (
    <PageFrame title={name} hint={it && <Health of={it} now={now} />} actions={(
      <>
        <Group gap="md"><To to="/decisions" search={{ nas: name }}>{texts.decisions}</To><To to="/sessions" search={{ nas: name }}>{texts.sessions}</To></Group>
        <Act permission="gear:write" icon="edit" why={why} onClick={edit.open}>{texts.edit}</Act>
        <Act permission="gear:write" icon="trash" why={why} onClick={async () => {
          const yes = await confirm({ title: texts.removeTitle, body: texts.removeBody, hits: [name], action: texts.remove, danger: true, reason: true });
          if (yes) remove.mutate(yes.reason);
        }}>{texts.remove}</Act>
      </>
    )}>
      <ProblemAlert error={device.error} />
      {editing && object.data && <Dialog opened onClose={edit.close} title={texts.editTitle(name)} size="lg"><DeviceForm begin={{}} known={object.data} added={edit.close} cancel={edit.close} /></Dialog>}
      {it && (
        <div className="grid">
          <div className="span-7 stack"><Check name={name} since={since} /><Snippet name={name} vendor={it.vendor} secret={secret} /></div>
          <div className="span-5 stack">
            <Panel title={texts.facts}>
              <Facts of={[
                [texts.address, <span className="mono" key="a">{it.addresses.join(', ')}</span>],
                [texts.vendor, it.vendor],
                [texts.site, it.site ?? texts.noSite],
                [texts.groups, it.groups.join(', ')],
                [texts.mode, texts.modes[it.mode] ?? it.mode],
                [texts.authenticator, <Authenticator of={it} key="m" />],
                [texts.last, <Time at={it.last_at} key="l" />],
                [texts.requests, it.requests.toLocaleString('en')],
              ]} />
            </Panel>
            <Discards name={name} />
            <Learned device={it} />
          </div>
        </div>
      )}
    </PageFrame>
  );
}
