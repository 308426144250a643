/// What stands where nothing is: what that means, and what to do next.
import { Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      <Title order={2}>{title}</Title>
      {children && <Text c="dimmed" size="sm" maw={520}>{children}</Text>}
      {action}
    </Stack>
  );
}
