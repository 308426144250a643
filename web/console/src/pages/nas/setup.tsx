/// What is entered on a device, and what was seen of it since: looked at each second.
import { Alert, Button, CopyButton, Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { common } from '../../texts/common';
import { nas as texts } from '../../texts/nas';
import { Act } from '../../ui/act';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Scroll } from '../../ui/scroll';
import { Tag, type Tone } from '../../ui/tag';
import { Time } from '../../ui/time';

/// Between two looks, in milliseconds.
const LOOK_MS = 1_000;
const TONES: Record<string, Tone> = { good: 'ok', bad: 'bad', waiting: 'quiet' };

type Step = Schemas['CheckStep'];

function StepLine({ step }: { step: Step }) {
  return (
    <li className="check-step" data-testid={`step-${step.step}`} data-state={step.state}>
      <Tag tone={TONES[step.state] ?? 'quiet'}><b>{texts.steps[step.step] ?? step.step}</b></Tag>
      <div>
        <Text size="sm" className="anywhere sentence">{step.detail} {step.at && <Text span size="xs" c="dimmed"><Time at={step.at} /></Text>}</Text>
        {step.remedy && step.state !== 'good' && <Text size="sm" c="dimmed" className="anywhere sentence">{step.remedy}</Text>}
      </div>
    </li>
  );
}

/// The check, and the test of changes.
export function Check({ name, since }: { name: string; since?: string }) {
  const queries = useQueryClient();
  const query = useQuery({
    queryKey: ['nas', 'check', name, since],
    queryFn: () => ask(api.GET('/api/v1/nas/{name}/check', { params: { path: { name }, query: { since } } })),
    refetchInterval: LOOK_MS,
  });
  const test = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/nas/{name}/coa-test', { params: { path: { name } }, body: {} })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['nas', 'check', name] }),
  });
  const result = test.data ?? query.data?.coa_test;
  return (
    <Panel title={texts.check}>
      <Text size="sm" c="dimmed" mb="xs">{texts.checkHint}</Text>
      <ProblemAlert error={query.error} />
      <ul className="plain" aria-live="polite">{query.data?.steps.map((step) => <StepLine key={step.step} step={step} />)}</ul>
      <Group mt="sm" gap="xs" align="center">
        <Act permission="sessions:change" icon="signal" loading={test.isPending} onClick={() => test.mutate()}>{texts.coa}</Act>
        <Text size="xs" c="dimmed">{texts.coaHint}</Text>
      </Group>
      {result && (
        <Alert mt="sm" color={result.listens && result.secret !== false ? 'green' : 'yellow'} data-testid="coa-result" data-outcome={result.outcome}>
          <Text size="sm" className="sentence">{result.detail}</Text>
          {result.remedy && <Text size="sm" c="dimmed" className="sentence">{result.remedy}</Text>}
          <Text size="xs" c="dimmed">{texts.coaTook(result.to, result.took_ms)}</Text>
        </Alert>
      )}
    </Panel>
  );
}

/// The text, with the secret in it if it is known to this window.
export function Snippet({ name, vendor: own, secret }: { name: string; vendor: string; secret?: string }) {
  const [vendor, setVendor] = useState(own);
  const [server, setServer] = useState('');
  const vendors = useQuery({ queryKey: ['nas', 'vendors'], queryFn: () => ask(api.GET('/api/v1/nas/vendors')), staleTime: Infinity });
  const query = useQuery({
    queryKey: ['nas', 'snippet', name, vendor, server],
    queryFn: () => ask(api.GET('/api/v1/nas/{name}/snippet', { params: { path: { name }, query: { vendor, server: server || undefined } } })),
    placeholderData: (before) => before,
  });
  const text = secret && query.data ? query.data.text.replaceAll(query.data.secret, secret) : query.data?.text ?? '';
  return (
    <Panel title={texts.setup} actions={(
      <CopyButton value={text}>{({ copied, copy }) => <Button variant="default" size="compact-sm" leftSection={<Icon name="copy" size={13} />} onClick={copy}>{copied ? common.copied : texts.copy}</Button>}</CopyButton>
    )}>
      <Stack gap="xs">
        <Text size="sm" c="dimmed">{texts.setupHint}</Text>
        {secret && <Alert color="yellow" icon={<Icon name="token" />}>{texts.secretOnce}</Alert>}
        <Group gap="xs" grow>
          <NativeSelect name="vendor" label={texts.vendor} value={vendor} onChange={(e) => setVendor(e.currentTarget.value)} data={(vendors.data?.items ?? []).map((one) => ({ value: one.name, label: one.title }))} />
          <TextInput name="server" label={texts.server} placeholder={query.data?.server ?? texts.serverHint} value={server} onChange={(e) => setServer(e.currentTarget.value.trim())} error={query.isError ? query.error.message : undefined} />
        </Group>
        {query.data?.confirmed === 'unconfirmed' && <Text size="sm" c="dimmed">{texts.unconfirmed}</Text>}
        <Scroll label={texts.setup} height={420}><pre className="mono snippet" data-testid="snippet">{text}</pre></Scroll>
      </Stack>
    </Panel>
  );
}

