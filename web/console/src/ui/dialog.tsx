/// Dialogs. They are put together by hand: a heading of Mantine's would be a second banner of the page.
import { CloseButton, Group, Modal, Title, type ModalRootProps } from '@mantine/core';
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
