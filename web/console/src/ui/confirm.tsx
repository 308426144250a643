/// Asks before something is done that hits somebody: it names what it will hit.
import { Button, Group, List, Stack, Text, TextInput } from '@mantine/core';
import { createContext, useCallback, useContext, useRef, useState, type ReactNode } from 'react';
import { common } from '../texts/common';
import { Dialog } from './dialog';

export interface Asked {
  title: string;
  /// What follows from it, and how it is undone.
  body?: ReactNode;
  /// Those that it hits, by name.
  hits?: string[];
  /// What stands on the button.
  action: string;
  danger?: boolean;
  /// Whether why it is done is asked for, for the record, and has to be said.
  reason?: boolean | 'needed';
}

/// Said yes, and why, if that was asked for; null is no.
export type Confirmed = { reason: string } | null;

const Context = createContext<(asked: Asked) => Promise<Confirmed>>(() => Promise.resolve(null));
export const useConfirm = () => useContext(Context);

/// Above drawers, from which something may be asked.
const ABOVE = 300;
/// The most names that are listed; more are counted.
const LISTED = 12;

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<Asked>();
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const answer = useRef<(confirmed: Confirmed) => void>(undefined);
  const confirm = useCallback((it: Asked) => new Promise<Confirmed>((resolve) => {
    answer.current = resolve;
    setReason('');
    setAsked(it);
    setOpen(true);
  }), []);
  const end = (confirmed: Confirmed) => { answer.current?.(confirmed); setOpen(false); };
  const hits = asked?.hits ?? [];
  return (
    <Context.Provider value={confirm}>
      {children}
      <Dialog opened={open} onClose={() => end(null)} title={asked?.title ?? ''} zIndex={ABOVE}>
        <form data-testid="confirm" onSubmit={(e) => { e.preventDefault(); if (asked?.reason !== 'needed' || reason.trim()) end({ reason: reason.trim() }); }}>
          <Stack gap="sm">
            {asked?.body && <Text size="sm" component="div">{asked.body}</Text>}
            {hits.length > 0 && (
              <div>
                <Text size="sm">{common.hits(hits.length)}</Text>
                <List size="sm" data-testid="hits">
                  {hits.slice(0, LISTED).map((hit) => <List.Item key={hit}><b>{hit}</b></List.Item>)}
                </List>
                {hits.length > LISTED && <Text size="sm" c="dimmed">{common.more(hits.length - LISTED)}</Text>}
              </div>
            )}
            {asked?.reason && <TextInput label={common.reason} description={asked.reason === 'needed' ? common.reasonNeeded : common.reasonHint} required={asked.reason === 'needed'} value={reason} onChange={(e) => setReason(e.currentTarget.value)} maxLength={200} data-autofocus />}
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={() => end(null)}>{common.cancel}</Button>
              <Button type="submit" color={asked?.danger ? 'red' : undefined}>{asked?.action}</Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </Context.Provider>
  );
}
