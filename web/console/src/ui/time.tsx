/// Times: how long ago, and exactly, with the zone that they are told in.
import { Text, Tooltip } from '@mantine/core';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { common } from '../texts/common';

const KEPT = 'cordon-zone';
/// How often "3 min ago" is looked at again, in milliseconds.
const TICK_MS = 15_000;

export const localZone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

interface Clock {
  /// The zone that times are told in.
  zone: string;
  setZone: (zone: string) => void;
  now: number;
}

const Context = createContext<Clock>({ zone: localZone, setZone: () => undefined, now: Date.now() });
export const useClock = () => useContext(Context);

export function ClockProvider({ children }: { children: ReactNode }) {
  const [zone, setZone] = useState(() => (localStorage.getItem(KEPT) === 'UTC' ? 'UTC' : localZone));
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const clock = useMemo(() => ({
    zone,
    now,
    setZone: (to: string) => { localStorage.setItem(KEPT, to); setZone(to); },
  }), [zone, now]);
  return <Context.Provider value={clock}>{children}</Context.Provider>;
}

const formats = new Map<string, Intl.DateTimeFormat>();
function format(zone: string, seconds: boolean): Intl.DateTimeFormat {
  const key = `${zone} ${seconds}`;
  let it = formats.get(key);
  if (!it) {
    it = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined });
    formats.set(key, it);
  }
  return it;
}

/// Such as `2026-11-24 08:30:00`.
export const written = (at: string | number | Date, zone: string, seconds = true): string => format(zone, seconds).format(new Date(at));

const UNITS: [number, string][] = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']];

/// Such as `3 h`, `2 d 4 h`.
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  for (const [n, [length, unit]] of UNITS.entries()) {
    if (whole < length) continue;
    const next = UNITS[n + 1];
    const rest = next && whole / length < 3 ? Math.floor((whole % length) / next[0]) : 0;
    return `${Math.floor(whole / length)} ${unit}${next && rest > 0 ? ` ${rest} ${next[1]}` : ''}`;
  }
  return '0 s';
}

/// Such as `3 min ago`, `in 2 d`.
export function relative(at: string, now: number): string {
  const seconds = (now - new Date(at).getTime()) / 1000;
  if (Math.abs(seconds) < 10) return common.justNow;
  return seconds > 0 ? common.ago(span(seconds)) : common.within(span(-seconds));
}

/// A time. `exact` shows the time itself, and how long ago it was when pointed at.
export function Time({ at, exact }: { at: string | null | undefined; exact?: boolean }) {
  const { zone, now } = useClock();
  if (!at) return <Text span c="dimmed" inherit>-</Text>;
  const whole = written(at, zone);
  // The clock of the page ticks seldom: what has just happened is not in the future.
  const ago = relative(at, Math.max(now, Date.now()));
  return (
    <Tooltip label={exact ? `${ago} (${zone})` : `${whole} (${zone})`}>
      <time dateTime={at} className="time">{exact ? whole : ago}</time>
    </Tooltip>
  );
}

const MOMENT = /\b(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z)\b/;

/// What the server says in words, with its times in the zone that is shown.
export function Prose({ children }: { children: string }) {
  return children.split(MOMENT).map((part, n) => (n % 2 === 1 ? <Time key={n} at={part} exact /> : part));
}
