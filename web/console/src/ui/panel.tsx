/// A framed part of a page with a heading of its own.
import { Group, Paper, Title } from '@mantine/core';
import { useId, type ReactNode } from 'react';

export function Panel({ title, actions, children, className }: { title?: string; actions?: ReactNode; children: ReactNode; className?: string }) {
  const id = useId();
  return (
    <Paper withBorder p="md" component="section" aria-labelledby={title ? id : undefined} className={className}>
      {title && (
        <Group justify="space-between" mb="xs" gap="xs">
          <Title order={2} id={id}>{title}</Title>
          {actions}
        </Group>
      )}
      {children}
    </Paper>
  );
}
