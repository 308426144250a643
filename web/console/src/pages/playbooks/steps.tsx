/// What came of each step of a run.
import { Text } from '@mantine/core';
import type { Schemas } from '../../api/client';
import { playbookForm, playbooks as texts } from '../../texts/playbooks';
import { Tag, type Tone } from '../../ui/tag';
import { Time } from '../../ui/time';

const OUTCOMES: Record<string, Tone> = { waiting: 'info', done: 'ok', failed: 'bad', left: 'quiet' };

export function StepList({ of }: { of: Schemas['RunStep'][] }) {
  return (
    <ol className="plain">
      {of.map((step, n) => (
        <li key={n}><Tag tone={OUTCOMES[step.outcome] ?? 'quiet'}><b>{playbookForm.steps[step.step] ?? step.step}</b> {texts.outcomes[step.outcome] ?? step.outcome}</Tag> <Text span size="sm" c="dimmed" className="anywhere">{step.detail} {step.at && <Time at={step.at} />}</Text></li>
      ))}
    </ol>
  );
}
