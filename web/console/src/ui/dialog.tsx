/// Dialogs. They are put together by hand: a heading of Mantine's would be a second banner of the page.
import { CloseButton, Drawer, Group, Modal, Title, type ModalRootProps } from '@mantine/core';
import type { ReactNode } from 'react';
import { common } from '../texts/common';

/// A dialog called `label`, without a heading that is seen.
export function Plain({ label, children, ...rest }: ModalRootProps & { label: string }) {
  return (
    <Modal.Root {...rest}>
      <Modal.Overlay />
      <Modal.Content aria-label={label}>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

export function Dialog({ title, children, ...rest }: Omit<ModalRootProps, 'title'> & { title: string; children: ReactNode }) {
  return (
    <Plain {...rest} centered label={title}>
      <Group justify="space-between" align="flex-start" wrap="nowrap" mb="sm">
        <Title order={2}>{title}</Title>
        <CloseButton aria-label={common.close} onClick={rest.onClose} />
      </Group>
      {children}
    </Plain>
  );
}

/// What is shown of one row, beside its list.
export function Side({ title, close, children }: { title: string; close: () => void; children: ReactNode }) {
  return (
    <Drawer.Root opened onClose={close} position="right" size="lg">
      <Drawer.Overlay />
      <Drawer.Content aria-label={title}>
        <Drawer.Body pt="md">
          <Group justify="space-between" align="flex-start" wrap="nowrap" mb="sm">
            <Title order={2} className="anywhere">{title}</Title>
            <CloseButton aria-label={common.close} onClick={close} />
          </Group>
          {children}
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}
