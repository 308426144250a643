/// A page's heading with its actions, and the frame of its content.
import { Group, Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';

export function PageFrame({ title, hint, actions, children, full }: { title: string; hint?: ReactNode; actions?: ReactNode; children: ReactNode; full?: boolean }) {
  useEffect(() => {
    document.title = `${title} - Cordon`;
    // When there was something to see and to press first, for who measures it.
    if (performance.getEntriesByName('title').length === 0) performance.mark('title');
  }, [title]);
  return (
    <div className={full ? 'page page-full' : 'page'}>
      <Group justify="space-between" align="flex-start" gap="sm" mb="sm" wrap="wrap">
        <div className="page-title">
          <Title order={1} tabIndex={-1} id="page-title">{title}</Title>
          {hint && <Text size="sm" c="dimmed">{hint}</Text>}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </div>
  );
}
