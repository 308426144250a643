/// A playbook as a form: what sets it off, for whom, what is done, and how it ends.
import { ActionIcon, Button, Group, MultiSelect, NativeSelect, NumberInput, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { identities } from '../../texts/identities';
import { playbookForm as texts } from '../../texts/playbooks';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/panel';
import { useNames } from '../policy/names';
import { step, STEPS, TRIGGERS, type Draft, type Faults, type Step } from './draft';

interface Props {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
  wrong: Faults;
}

const options = (words: Record<string, string>, none?: string) => [...(none === undefined ? [] : [{ value: '', label: none }]), ...Object.entries(words).map(([value, label]) => ({ value, label }))];
const LONGEST_SECS = 30 * 86_400;

function When({ draft, set, wrong }: Props) {
  const kinds = useQuery({ queryKey: ['signals', 'kinds'], queryFn: () => ask(api.GET('/api/v1/signals/kinds')), staleTime: Infinity });
  const checks = useQuery({ queryKey: ['posture', 'checks'], queryFn: () => ask(api.GET('/api/v1/posture/checks')), staleTime: Infinity });
  const signals = (kinds.data ?? []).map((one) => one.kind as string);
  return (
    <Panel title={texts.when}>
      <Stack gap="sm">
        <NativeSelect name="trigger" label={texts.trigger} value={draft.trigger} onChange={(e) => set({ trigger: e.currentTarget.value })} data={TRIGGERS.map((value) => ({ value, label: texts.triggers[value] ?? value }))} error={wrong.when ?? wrong.posture} />
        {draft.trigger === 'signals' && (
          <>
            <MultiSelect label={texts.signals} required searchable data={[...new Set([...signals, ...draft.signals])]} value={draft.signals} onChange={(value) => set({ signals: value })} error={wrong.signals} />
            <NativeSelect name="severity" label={texts.severity} value={draft.severity} onChange={(e) => set({ severity: e.currentTarget.value })} data={options(texts.severities, texts.anySeverity)} error={wrong.severity} />
          </>
        )}
        {draft.trigger === 'risk' && <NativeSelect name="risk" label={texts.risk} value={draft.risk} onChange={(e) => set({ risk: e.currentTarget.value })} data={options(texts.levels)} error={wrong.risk} />}
        {draft.trigger === 'checks' && <TagsInput label={texts.checks} description={texts.checksHint} required data={(checks.data ?? []).map((one) => one.name)} value={draft.checks} onChange={(value) => set({ checks: value })} error={wrong.checks} />}
      </Stack>
    </Panel>
  );
}

function Whom({ draft, set, wrong }: Props) {
  const names = useNames();
  return (
    <Panel title={texts.whom}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">{texts.whomHint}</Text>
        <MultiSelect label={texts.kinds} data={options(identities.kindOf)} value={draft.kinds} onChange={(kinds) => set({ kinds })} error={wrong.kinds} />
        <TagsInput name="groups" label={texts.groups} data={names.groups} value={draft.groups} onChange={(groups) => set({ groups })} error={wrong.groups} />
        <TagsInput name="attributes" label={texts.attributes} description={texts.attributesHint} placeholder="tier=1" value={draft.attributes} onChange={(attributes) => set({ attributes })} error={wrong.attributes} />
        <TagsInput name="sites" label={texts.sites} data={names.sites} value={draft.sites} onChange={(sites) => set({ sites })} error={wrong.sites} />
      </Stack>
    </Panel>
  );
}

function StepLine({ of, set, profiles, n }: { of: Step; set: (part: Partial<Step>) => void; profiles: string[]; n: number }) {
  return (
    <Group gap="xs" align="flex-end" wrap="wrap" flex={1}>
      <NativeSelect name={`step-${n}`} label={texts.step(n + 1)} w={200} value={of.do} onChange={(e) => set(step(e.currentTarget.value))} data={STEPS.map((value) => ({ value, label: texts.steps[value] ?? value }))} />
      {of.do === 'quarantine' && <NativeSelect name={`profile-${n}`} label={texts.profile} w={180} value={of.profile} onChange={(e) => set({ profile: e.currentTarget.value })} data={[...new Set([of.profile, ...profiles])].filter(Boolean)} />}
      {of.do === 'notify' && <TagsInput label={texts.to} placeholder={of.to.length === 0 ? texts.toOwner : undefined} flex={1} miw={200} value={of.to} onChange={(to) => set({ to })} />}
      {of.do === 'case' && <TextInput name={`title-${n}`} label={texts.caseTitle} placeholder={texts.caseTitleHint} flex={1} miw={200} maxLength={200} value={of.title} onChange={(e) => set({ title: e.currentTarget.value })} />}
    </Group>
  );
}

function Does({ draft, set, wrong }: Props) {
  const { profiles } = useNames();
  const put = (n: number, part: Partial<Step>) => set({ steps: draft.steps.map((one, at) => (at === n ? { ...one, ...part } : one)) });
  const up = (n: number) => set({ steps: draft.steps.map((one, at) => (at === n - 1 ? draft.steps[n] : at === n ? draft.steps[n - 1] : one) ?? one) });
  return (
    <Panel title={texts.does} className="span-12">
      <Text size="sm" c="dimmed">{texts.doesHint}</Text>
      <ol className="steps">
        {draft.steps.map((one, n) => (
          <li key={n}>
            <StepLine of={one} n={n} profiles={profiles} set={(part) => put(n, part)} />
            <Group gap={4} wrap="nowrap">
              <ActionIcon variant="default" aria-label={texts.stepUp(n + 1)} disabled={n === 0} onClick={() => up(n)}><Icon name="up" size={13} /></ActionIcon>
              <ActionIcon variant="default" aria-label={texts.stepRemove(n + 1)} onClick={() => set({ steps: draft.steps.filter((_, at) => at !== n) })}><Icon name="trash" size={13} /></ActionIcon>
            </Group>
          </li>
        ))}
      </ol>
      {wrong.steps && <Text size="xs" c="var(--mantine-color-error)" role="alert">{wrong.steps}</Text>}
      <Button mt="xs" variant="default" leftSection={<Icon name="plus" size={13} />} onClick={() => set({ steps: [...draft.steps, step('webhook')] })}>{texts.stepAdd}</Button>
    </Panel>
  );
}

function Ends({ draft, set, wrong }: Props) {
  return (
    <Panel title={texts.ends}>
      <Stack gap="sm">
        <NativeSelect name="release" label={texts.release} value={draft.release} onChange={(e) => set({ release: e.currentTarget.value })} data={options(texts.releases)} error={wrong.release} />
        <NativeSelect name="release_below" label={texts.releaseBelow} description={texts.releaseBelowHint} value={draft.releaseBelow} onChange={(e) => set({ releaseBelow: e.currentTarget.value })} data={options(texts.levels, texts.notSaid)} error={wrong.release_below} />
        <NumberInput name="release_after_secs" label={texts.releaseAfter} description={texts.releaseAfterHint} min={1} max={LONGEST_SECS} value={draft.releaseAfter} onChange={(releaseAfter) => set({ releaseAfter })} error={wrong.release_after_secs} />
      </Stack>
    </Panel>
  );
}

function Limits({ draft, set, wrong }: Props) {
  return (
    <Panel title={texts.limits}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">{texts.limitsHint}</Text>
        <NumberInput name="max_runs" label={texts.maxRuns} placeholder="20" value={draft.maxRuns} onChange={(maxRuns) => set({ maxRuns })} error={wrong.max_runs} />
        <NumberInput name="max_percent" label={texts.maxPercent} placeholder="10" value={draft.maxPercent} onChange={(maxPercent) => set({ maxPercent })} error={wrong.max_percent} />
        <NumberInput name="window_secs" label={texts.window} placeholder="600" value={draft.window} onChange={(window) => set({ window })} error={wrong.window_secs} />
      </Stack>
    </Panel>
  );
}

export function BookForm(props: Props) {
  return (
    <div className="grid">
      <div className="cols span-12">
        <div><When {...props} /></div>
        <div><Whom {...props} /></div>
      </div>
      <Does {...props} />
      <div className="cols span-12">
        <div><Ends {...props} /></div>
        <div><Limits {...props} /></div>
      </div>
    </div>
  );
}
