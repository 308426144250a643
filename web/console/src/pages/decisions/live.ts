/// Logins that come while one looks, above those that were there.
import { useCallback, useMemo, useRef, useState } from 'react';
import type { Schemas } from '../../api/client';
import { useLive, type LiveEvent, type LiveState } from '../../api/live';
import type { Params } from '../../app/search';

export type Decision = Schemas['Page_Decision']['items'][number];

/// A login as the list shows it, from the stream or from the server's list.
export interface Row {
  id: string;
  at: string;
  outcome: string;
  reason: string;
  who: string | null;
  mac: string | null;
  nas: string;
  profile: string | null;
  method: string | null;
}

/// The most logins that are kept of those that came while one looks.
export const MOST_LIVE = 2_000;
/// What the rate is counted over, in milliseconds.
const RATE_MS = 10_000;
/// Filters that the stream can be narrowed by, here or at the server.
const LIVE_KEYS = ['outcome', 'identity', 'nas', 'mac', 'profile', 'reason'];

export const rowOf = (d: Decision): Row => ({
  id: d.id,
  at: d.at,
  outcome: d.outcome,
  reason: d.cause,
  who: d.identity?.name ?? d.outer_identity ?? null,
  mac: d.mac,
  nas: d.nas.name,
  profile: d.profile,
  method: d.method,
});

export const rowOfEvent = (e: LiveEvent): Row => ({
  id: e.id,
  at: e.at,
  outcome: e.outcome ?? '',
  reason: (e.reason ?? '').replaceAll('_', ' '),
  who: e.identity ?? null,
  mac: e.mac ?? null,
  nas: e.nas ?? '',
  profile: e.profile ?? null,
  method: null,
});

/// The digits of a MAC address, however it is spelled.
export const digits = (mac: string): string => mac.toLowerCase().replaceAll(/[^0-9a-f]/g, '');

/// Whether the stream can say what these filters ask for.
export const canBeLive = (query: Params): boolean => Object.keys(query).every((key) => LIVE_KEYS.includes(key));

/// What the server does not narrow its stream by.
export function fits(row: Row, query: Params): boolean {
  return (!query.mac || (row.mac !== null && digits(row.mac) === digits(query.mac)))
    && (!query.profile || row.profile === query.profile)
    && (!query.reason || row.reason === query.reason.replaceAll('_', ' '));
}

export interface LiveRows {
  state: LiveState;
  /// Those that came, the newest first.
  rows: Row[];
  /// How many came that are not shown yet, as one has scrolled down or paused.
  waiting: number;
  overflown: boolean;
  /// How many came within the last ten seconds.
  rate: number;
  show: () => void;
}

export function useLiveRows(query: Params, on: boolean, held: boolean, missed: () => void): LiveRows {
  const [rows, setRows] = useState<Row[]>([]);
  const [rate, setRate] = useState(0);
  const [waiting, setWaiting] = useState<Row[]>([]);
  const times = useRef<[number, number][]>([]);
  const overflown = useRef(false);
  const add = useCallback((fresh: Row[], to: Row[]) => {
    const all = [...fresh, ...to];
    if (all.length > MOST_LIVE) overflown.current = true;
    return all.slice(0, MOST_LIVE);
  }, []);
  const take = useCallback((events: LiveEvent[]) => {
    const fresh = events.map(rowOfEvent).filter((row) => fits(row, query)).reverse();
    const now = performance.now();
    times.current = [...times.current.filter(([at]) => now - at < RATE_MS), [now, fresh.length]];
    setRate(times.current.reduce((sum, [, n]) => sum + n, 0));
    if (fresh.length === 0) return;
    if (held) setWaiting((before) => add(fresh, before));
    else setRows((before) => add(fresh, before));
  }, [query, held, add]);
  // What was missed lies between what came before and what comes now: all is read again.
  const again = useCallback(() => {
    overflown.current = false;
    setRows([]);
    setWaiting([]);
    missed();
  }, [missed]);
  const state = useLive({ kind: 'decision', outcome: query.outcome, nas: query.nas, identity: query.identity }, on, take, again);
  const show = useCallback(() => {
    setRows((before) => add(waiting, before));
    setWaiting([]);
  }, [waiting, add]);
  return useMemo(() => ({ state, rows, waiting: waiting.length, overflown: overflown.current, rate, show }), [state, rows, waiting, rate, show]);
}
