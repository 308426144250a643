/// What the server refused, and why: title, field, what to do.
import { Alert, Button, List, Stack, Text } from '@mantine/core';
import { Problem } from '../api/client';
import { common } from '../texts/common';
import { Icon } from './icons';

export function ProblemAlert({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) return null;
  const problem = error instanceof Problem ? error : undefined;
  return (
    <Alert color="red" title={problem?.title ?? common.failed} icon={<Icon name="warning" />} role="alert">
      <Stack gap="xs">
        <Text size="sm">{problem?.field && <b>{problem.field}: </b>}{error instanceof Error ? error.message : String(error)}</Text>
        {problem && problem.errors.length > 0 && (
          <List size="sm">
            {problem.errors.map((fault, n) => (
              <List.Item key={n}>{fault.at && <b>{fault.at}: </b>}{fault.message} <Text span c="dimmed">{fault.remedy}</Text></List.Item>
            ))}
          </List>
        )}
        {retry && <div><Button variant="default" onClick={retry}>{common.again}</Button></div>}
      </Stack>
    </Alert>
  );
}

export function ProblemPage({ error, retry }: { error: unknown; retry?: () => void }) {
  return <div className="page"><ProblemAlert error={error} retry={retry ?? (() => location.reload())} /></div>;
}
