/// What was asked of a network device for a session, and how that went.
import { Table, Text } from '@mantine/core';
import type { Schemas } from '../../api/client';
import { session as texts } from '../../texts/sessions';
import { Scroll } from '../../ui/scroll';
import { Tag, type Tone } from '../../ui/tag';
import { Time } from '../../ui/time';

type Change = Schemas['Change'];

const TONES: Record<string, Tone> = { waiting: 'info', done: 'ok', refused: 'bad', unanswered: 'bad', untold: 'bad' };

export function Changes({ of }: { of: Change[] }) {
  return (
    <Scroll label={texts.changes}>
      <Table data-testid="changes">
        <Table.Thead><Table.Tr><Table.Th>{texts.when}</Table.Th><Table.Th>{texts.detail}</Table.Th><Table.Th>{texts.state}</Table.Th><Table.Th>{texts.attempt}</Table.Th><Table.Th>{texts.advice}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {of.map((change) => (
            <Table.Tr key={change.id}>
              <Table.Td><Time at={change.created_at} /></Table.Td>
              <Table.Td>{change.detail}<Text size="xs" c="dimmed">{change.trigger.replaceAll('_', ' ')}</Text></Table.Td>
              <Table.Td><Tag tone={TONES[change.state] ?? 'quiet'}>{change.state.replaceAll('_', ' ')}</Tag></Table.Td>
              <Table.Td>
                {change.attempts.length === 0 && <Text size="sm" c="dimmed">{texts.noAttempt}</Text>}
                {change.attempts.map((attempt) => (
                  <div key={`${attempt.at} ${attempt.change}`}>
                    {texts.change[attempt.change] ?? attempt.change}: <b>{attempt.result}</b> {attempt.error}
                  </div>
                ))}
              </Table.Td>
              <Table.Td>{change.advice ?? change.attempts.at(-1)?.remedy}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
