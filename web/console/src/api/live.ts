/// What happens, as it happens: the server's stream of events, in bundles, so that a storm is drawn a few times a second.
import { useEffect, useRef, useState } from 'react';

/// One event of the stream; which fields it has goes by its kind.
export interface LiveEvent {
  kind: 'decision' | 'session' | 'signal';
  id: string;
  at: string;
  outcome?: string;
  reason?: string | null;
  state?: string;
  nas?: string | null;
  identity?: string | null;
  mac?: string | null;
  profile?: string | null;
  severity?: string;
  detail?: string;
}

/// How often what has come is told, in milliseconds.
const BUNDLE_MS = 250;
/// The most events that wait to be told; of more, the latest count.
const MOST_WAITING = 5_000;

export type LiveState = 'connecting' | 'open' | 'lost';

export interface LiveFilter {
  kind?: 'decision' | 'session' | 'signal';
  outcome?: string;
  nas?: string;
  identity?: string;
}

/// Follows the stream while `on`. `take` gets each bundle, the newest last; `missed` is called when events were lost.
export function useLive(filter: LiveFilter, on: boolean, take: (events: LiveEvent[]) => void, missed?: () => void): LiveState {
  const [state, setState] = useState<LiveState>('connecting');
  const handlers = useRef({ take, missed });
  handlers.current = { take, missed };
  const query = new URLSearchParams(Object.entries(filter).filter((pair): pair is [string, string] => Boolean(pair[1]))).toString();
  useEffect(() => {
    if (!on) return;
    let waiting: LiveEvent[] = [];
    const source = new EventSource(`/api/v1/events${query ? `?${query}` : ''}`);
    const hear = (kind: LiveEvent['kind']) => (message: MessageEvent<string>) => {
      waiting.push({ ...(JSON.parse(message.data) as Omit<LiveEvent, 'kind'>), kind });
      if (waiting.length > MOST_WAITING) waiting = waiting.slice(-MOST_WAITING / 2);
    };
    for (const kind of ['decision', 'session', 'signal'] as const) source.addEventListener(kind, hear(kind));
    source.addEventListener('reset', () => handlers.current.missed?.());
    source.onopen = () => setState('open');
    source.onerror = () => setState('lost');
    const timer = setInterval(() => {
      if (waiting.length === 0) return;
      const bundle = waiting;
      waiting = [];
      handlers.current.take(bundle);
    }, BUNDLE_MS);
    return () => {
      clearInterval(timer);
      source.close();
    };
  }, [on, query]);
  return state;
}
