/// One event: what was, what is, and by what it is held in its place.
import {  } from '@mantine/core';
import type { Schemas } from '../../api/client';
import { audit as texts } from '../../texts/audit';
import { Side } from '../../ui/dialog';
import { Facts } from '../../ui/facts';
import { Panel } from '../../ui/panel';
import { Scroll } from '../../ui/scroll';
import { Time } from '../../ui/time';

export type Event = Schemas['AuditEvent'];

const written = (value: unknown) => (value === null || value === undefined ? texts.nothing : JSON.stringify(value, undefined, 2));

export const objectText = (event: Event): string => `${event.object.kind} ${event.object.name}`;

export function sourceText(source: unknown): string {
  const { kind = '', address } = (source ?? {}) as { kind?: string; address?: string };
  return [texts.source[kind] ?? kind, address].filter(Boolean).join(', ');
}

export function EventDrawer({ event, close }: { event: Event; close: () => void }) {
  return (
    <Side title={`${event.action}: ${event.object.name}`} close={close}>
      <div className="stack">
        <Facts of={[
          [texts.number, event.seq],
          [texts.when, <Time at={event.at} exact key="w" />],
          [texts.actor, event.actor],
          [texts.role, event.role],
          [texts.from, sourceText(event.source)],
          [texts.object, objectText(event)],
          [texts.why, event.reason],
        ]} />
        <Panel title={texts.before}><Scroll label={texts.before} height={260}><pre className="mono reply">{written(event.before)}</pre></Scroll></Panel>
        <Panel title={texts.after}><Scroll label={texts.after} height={260}><pre className="mono reply">{written(event.after)}</pre></Scroll></Panel>
        <Facts of={[[texts.hash, <span className="mono" key="h">{event.hash}</span>], [texts.previous, <span className="mono" key="p">{event.prev}</span>]]} />
      </div>
    </Side>
  );
}
