/// From an empty server to the first login.
import { Button, Group, NativeSelect, Stack, Stepper, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { start as texts } from '../../texts/start';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import '../../ui/lists.css';
import { NARROW } from '../../ui/narrow';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import { Tag } from '../../ui/tag';
import { span } from '../../ui/time';
import { keepSecret, keptSecret } from '../nas/added';
import { DeviceForm } from '../nas/form';
import '../nas/nas.css';
import { Check, Snippet } from '../nas/setup';
import { usePolicy } from '../policy/draft';
import { rulesOf, written } from '../policy/rules';
import { clientText } from './client';
import { stepOf, useSteps, type Steps } from './state';
import { Who } from './who';

/// Between two looks, in milliseconds.
const LOOK_MS = 1_000;

type Set = (part: Partial<Steps>) => void;

function Device({ set }: { set: Set }) {
  const there = useQuery({ queryKey: ['nas', 'first'], queryFn: () => ask(api.GET('/api/v1/nas', { params: { query: { limit: 50 } } })) });
  const names = there.data?.items.map((one) => one.name) ?? [];
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">{texts.device}</Text>
      {names.length > 0 && <NativeSelect label={texts.another} w={260} data={[{ value: '', label: '' }, ...names.map((value) => ({ value, label: value }))]} onChange={(e) => { if (e.currentTarget.value) set({ device: e.currentTarget.value }); }} />}
      <DeviceForm begin={{}} added={({ name, secret }) => { keepSecret(name, secret); set({ device: name }); }} />
    </Stack>
  );
}

function Grant({ set }: { set: Set }) {
  const queries = useQueryClient();
  const [name, setName] = useState('corp');
  const [vlan, setVlan] = useState('20');
  const make = useMutation({
    mutationFn: () => ask<unknown>(api.PUT('/api/v1/profiles/{name}', { params: { path: { name } }, body: { vlan: /^\d+$/.test(vlan) ? Number(vlan) : vlan } as never })),
    meta: { shown: true },
    onSuccess: () => { void queries.invalidateQueries(); set({ profile: name, vlan }); },
  });
  return (
    <form onSubmit={(e) => { e.preventDefault(); make.mutate(); }}>
      <Stack gap="sm" maw={460}>
        <Text size="sm" c="dimmed">{texts.grant}</Text>
        <TextInput name="profile" label={texts.profile} required value={name} onChange={(e) => setName(e.currentTarget.value.trim())} />
        <TextInput name="vlan" label={texts.vlan} required value={vlan} onChange={(e) => setVlan(e.currentTarget.value.trim())} />
        <ProblemAlert error={make.error} />
        <div><Button type="submit" loading={make.isPending}>{texts.make}</Button></div>
      </Stack>
    </form>
  );
}

function Rule({ steps, set }: { steps: Steps; set: Set }) {
  const queries = useQueryClient();
  const policy = usePolicy();
  const rule = written({ id: steps.group ?? '', order: 10, profile: steps.profile ?? '', kind: '', group: steps.group ?? '', site: '', method: 'eap-tls' });
  const now = policy.data;
  // The built-in policy names profiles that an empty server does not have.
  const base = now?.home === 'database' ? now.text : '';
  const there = rulesOf(base)?.some((one) => one.id === steps.group);
  const text = there ? base : `${base.trimEnd()}\n\n${rule}`.trimStart();
  const activate = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/policy/activate', { body: { text, comment: texts.title } as never })),
    meta: { shown: true },
    onSuccess: (done) => { void queries.invalidateQueries(); set({ revision: 'revision' in done ? String(done.revision) : '-' }); },
  });
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">{now?.home === 'file' ? texts.inFile : texts.rule}</Text>
      <Scroll label={texts.steps[3] ?? ''}><pre className="mono snippet">{rule}</pre></Scroll>
      <ProblemAlert error={activate.error} />
      <Group>
        {now?.home !== 'file' && <Button onClick={() => activate.mutate()} loading={activate.isPending} disabled={!now}>{texts.putInForce}</Button>}
        {now?.home === 'file' && <Button onClick={() => set({ revision: '-' })}>{texts.next}</Button>}
      </Group>
    </Stack>
  );
}

function Login({ steps }: { steps: Steps }) {
  const since = new Date(steps.began).toISOString();
  const query = useQuery({
    queryKey: ['start', 'login', steps.identityName, since],
    queryFn: () => ask(api.GET('/api/v1/decisions', { params: { query: { identity: steps.identityName, outcome: 'accept', since, sort: 'at', limit: 1 } } })),
    refetchInterval: (it) => (it.state.data?.items.length ? false : LOOK_MS),
  });
  const first = query.data?.items[0];
  return (
    <Stack gap="sm">
      {first ? (
        <Panel>
          <div data-testid="first-login" role="status"><Tag tone="ok"><b>{texts.loginIn(steps.identityName ?? '')}</b></Tag></div>
          <Text size="sm" data-testid="took">{texts.took(span((new Date(first.at).getTime() - steps.began) / 1000))}</Text>
          <Group gap="md" mt="xs"><To to={`/decisions/${first.id}`}>{texts.story}</To><To to="/">{texts.toOverview}</To></Group>
        </Panel>
      ) : (
        <>
          <Text size="sm" c="dimmed">{texts.login}</Text>
          <Panel title={texts.client}><Scroll label={texts.client}><pre className="mono snippet">{clientText({ name: steps.identityName ?? '' })}</pre></Scroll></Panel>
          <ProblemAlert error={query.error} />
          <Text size="sm" role="status">{texts.loginWait}</Text>
        </>
      )}
      {steps.device && <Check name={steps.device} since={since} />}
    </Stack>
  );
}

/// The text for the device, once it is known what kind of gear it is.
function DeviceSnippet({ name, secret }: { name: string; secret?: string }) {
  const there = useQuery({ queryKey: ['nas', 'snippet', name], queryFn: () => ask(api.GET('/api/v1/nas/{name}/snippet', { params: { path: { name } } })) });
  return there.data ? <Snippet name={name} vendor={there.data.vendor} secret={secret} /> : null;
}

export default function Start() {
  const [steps, set, again] = useSteps();
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const step = stepOf(steps);
  const secret = steps.device ? keptSecret(steps.device) : undefined;
  const said = [
    steps.device && texts.deviceDone(steps.device),
    steps.profile && texts.grantDone(steps.profile, steps.vlan ?? ''),
    steps.identityName && texts.whoDone(steps.identityName),
    steps.revision && texts.ruleDone(steps.revision),
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} actions={step > 0 && <Button variant="default" onClick={again}>{texts.begin}</Button>}>
      <Stepper active={step} orientation={narrow ? 'vertical' : 'horizontal'} size="sm" className="first-steps" allowNextStepsSelect={false}>
        {texts.steps.map((title, n) => <Stepper.Step key={title} label={title} description={narrow ? said[n] || undefined : undefined} />)}
      </Stepper>
      <div className="stack" data-testid={`first-step-${step}`}>
        <Panel title={texts.steps[step]}>
          {step === 0 && <Device set={set} />}
          {step === 1 && <Grant set={set} />}
          {step === 2 && <Who known={set} />}
          {step === 3 && <Rule steps={steps} set={set} />}
          {step === 4 && <Login steps={steps} />}
        </Panel>
        {steps.device && step < 4 && <DeviceSnippet name={steps.device} secret={secret} />}
      </div>
    </PageFrame>
  );
}
