/// What is told in a corner for a moment.
import { notifications } from '@mantine/notifications';
import { Problem } from '../api/client';
import { common } from '../texts/common';

/// How long a problem stays, in milliseconds: long enough to be read twice.
const PROBLEM_MS = 12_000;

export const tell = (message: string): void => void notifications.show({ message, color: 'green', withBorder: true, closeButtonProps: { 'aria-label': common.close } });

export function tellProblem(error: unknown): void {
  const title = error instanceof Problem ? error.title : common.failed;
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ title, message, color: 'red', withBorder: true, autoClose: PROBLEM_MS, role: 'alert', closeButtonProps: { 'aria-label': common.close } });
}
