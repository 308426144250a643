/// Something secret that is shown once.
import { Alert, Button, CopyButton, Group, Stack } from '@mantine/core';
import { common } from '../texts/common';
import { Dialog } from './dialog';
import { Icon } from './icons';

export function Once({ title, hint, value, close }: { title: string; hint: string; value: string; close: () => void }) {
  return (
    <Dialog opened onClose={close} title={title} closeOnClickOutside={false}>
      <Stack gap="sm">
        <Alert color="yellow" icon={<Icon name="token" />}>{hint}</Alert>
        <code className="mono once" data-testid="once">{value}</code>
        <Group justify="flex-end" gap="xs">
          <CopyButton value={value}>{({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? common.copied : common.copy}</Button>}</CopyButton>
          <Button onClick={close}>{common.close}</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
