/// What the server says to a draft as it is typed.
import { Alert, List, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { policy as texts } from '../../texts/policy';
import { Icon } from '../../ui/icons';
import { Tag } from '../../ui/tag';
import type { Mark } from './editor';

/// How long typing rests before the server is asked, in milliseconds.
const REST_MS = 350;

export type Checked = Schemas['CheckedView'];

/// What was found about the draft, a moment after it was typed.
export function useChecked(text: string, tests: string) {
  const [rested] = useDebouncedValue(`${text}\u0000${tests}`, REST_MS);
  const [of = '', with_ = ''] = rested.split('\u0000');
  const query = useQuery({
    queryKey: ['policy', 'validate', rested],
    queryFn: () => ask(api.POST('/api/v1/policy/validate', { body: { text: of, tests: with_ } as never })),
    enabled: of.length > 0,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 10_000,
  });
  return { checked: query.data, busy: query.isFetching || rested !== `${text}\u0000${tests}`, error: query.error };
}

const LINE = /(?:policy|tests):(\d+)|line (\d+)/;

/// Faults of a file as marks of its lines.
export function marksOf(checked: Checked | undefined, file: 'policy' | 'tests'): Mark[] {
  const marks = (faults: Checked['errors'], severity: Mark['severity']) => faults.flatMap((fault) => {
    const about = `${fault.at ?? ''} ${fault.message}`;
    const found = LINE.exec(about);
    const line = Number(found?.[1] ?? found?.[2] ?? 1);
    return (fault.at ?? 'policy').startsWith(file) ? [{ line, message: `${fault.message} ${fault.remedy}`, severity }] : [];
  });
  return checked ? [...marks(checked.errors, 'error'), ...marks(checked.warnings, 'warning')] : [];
}

function Faults({ title, of, color }: { title: string; of: Checked['errors']; color: string }) {
  if (of.length === 0) return null;
  return (
    <Alert color={color} title={title} icon={<Icon name="warning" />}>
      <List size="sm">{of.map((fault, n) => <List.Item key={n}>{fault.at && <b>{fault.at}: </b>}{fault.message}. <Text span c="dimmed">{fault.remedy}</Text></List.Item>)}</List>
    </Alert>
  );
}

export function CheckedState({ checked, busy }: { checked: Checked | undefined; busy: boolean }) {
  if (!checked) return <Text size="sm" c="dimmed">{busy ? texts.checking : ''}</Text>;
  const failed = checked.tests.filter((test) => !test.passed).length;
  return (
    <div role="status" aria-live="polite" data-testid="checked" data-busy={busy || undefined} data-valid={checked.valid}>
      {checked.valid
        ? <Tag tone="ok">{texts.sound} {checked.tests.length > 0 && texts.testsPassed(checked.tests.length)}</Tag>
        : <Tag tone="bad">{failed > 0 ? texts.testsFailed(failed) : texts.errors}</Tag>}
    </div>
  );
}

export function CheckedFaults({ checked }: { checked: Checked | undefined }) {
  return <><Faults title={texts.errors} of={checked?.errors ?? []} color="red" /><Faults title={texts.warnings} of={checked?.warnings ?? []} color="yellow" /></>;
}
