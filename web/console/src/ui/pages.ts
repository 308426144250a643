/// The pages of a long list. Where each begins is kept for as long as the list is looked at; rows are kept of those near what is
/// seen, and asked for again when one comes back to them.
import { useQueries, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';

export interface Paged<T> {
  items: T[];
  next: string | null;
}

/// Rows by their number, as far as they are here: an array is such a thing, too.
export interface Listed<T> {
  readonly length: number;
  at(n: number): T | undefined;
}

/// A page that was met: where it begins (undefined is the first), and how many rows it has, once it has come.
export interface Met {
  cursor: string | undefined;
  length?: number;
}

/// How near the end the next page is asked for, in rows.
const NEAR = 60;
/// Pages that are kept on each side of what is seen.
export const KEPT = 4;

export const BEGINNING: readonly Met[] = [{ cursor: undefined }];

/// What is known when a page has come. If another follows it than before, what was after it is forgotten: it has shifted.
export function met(index: readonly Met[], cursor: string | undefined, page: Paged<unknown>): readonly Met[] {
  const n = index.findIndex((one) => one.cursor === cursor);
  const here = index[n];
  if (!here) return index;
  const follows = index[n + 1];
  const same = page.next === null ? follows === undefined : follows?.cursor === page.next;
  if (same && here.length === page.items.length) return index;
  const rest = same ? index.slice(n + 1) : page.next === null ? [] : [{ cursor: page.next }];
  return [...index.slice(0, n), { cursor, length: page.items.length }, ...rest];
}

export interface Layout {
  /// The number of the first row of each page.
  starts: number[];
  /// Rows of all pages that have come.
  count: number;
  /// Whether the end is known.
  ended: boolean;
}

export function layout(index: readonly Met[]): Layout {
  let count = 0;
  const starts = index.map(({ length = 0 }) => { count += length; return count - length; });
  return { starts, count, ended: index.at(-1)?.length !== undefined };
}

/// The page that a row is on.
export function pageOf(starts: number[], row: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/// The pages that are here while rows `from` to `to` are seen: theirs, some around, and the first, which what comes anew stands on.
export function near({ starts, count, ended }: Layout, from: number, to: number): number[] {
  const known = ended ? starts.length - 1 : starts.length - 2;
  const first = Math.max(0, pageOf(starts, Math.min(from, count - 1)) - KEPT);
  const last = Math.min(known, pageOf(starts, Math.min(to, count - 1)) + KEPT);
  const all = [0];
  for (let n = Math.max(1, first); n <= last; n += 1) all.push(n);
  if (!ended && known >= 0 && to + NEAR >= count) all.push(known + 1);
  return all;
}

interface Wanted<T> {
  /// Names the list with its filters.
  queryKey: QueryKey;
  fetch: (cursor: string | undefined) => Promise<Paged<T>>;
  /// How often the first page is asked for again while it is alone, in milliseconds.
  refresh?: number;
}

export interface Pages<T> {
  rows: Listed<T>;
  /// The first page, which stays.
  first: T[];
  /// Whether more rows may follow.
  partial: boolean;
  busy: boolean;
  error: Error | null;
  /// To be told which rows are seen.
  see: (from: number, to: number) => void;
  retry: () => void;
  /// Begins anew.
  restart: () => void;
}

/// The pages of one list; another list is another component.
export function usePages<T>({ queryKey, fetch, refresh }: Wanted<T>): Pages<T> {
  const queries = useQueryClient();
  const [index, setIndex] = useState(BEGINNING);
  const [[from, to], setSeen] = useState([0, 0]);
  const laid = useMemo(() => layout(index), [index]);
  const wanted = useMemo(() => near(laid, from, to), [laid, from, to]);
  const results = useQueries({
    queries: wanted.map((n) => {
      const cursor = index[n]?.cursor;
      return {
        queryKey: [...queryKey, 'page', cursor ?? null],
        queryFn: () => fetch(cursor),
        // It is asked for when it comes into view, when something was changed, and gone with the view.
        staleTime: Infinity,
        gcTime: 0,
        refetchInterval: n === 0 && index.length <= 2 && refresh ? refresh : (false as const),
        refetchOnWindowFocus: false,
      };
    }),
  });
  const here = new Map(wanted.map((n, k) => [n, results[k]]));
  useEffect(() => {
    setIndex((now) => wanted.reduce((all, n, k) => {
      const page = results[k]?.data;
      return page ? met(all, index[n]?.cursor, page) : all;
    }, now));
  });
  const see = useCallback((first: number, last: number) => setSeen((now) => (now[0] === first && now[1] === last ? now : [first, last])), []);
  const failed = results.find((one) => one.isError);
  const restart = () => {
    setIndex(BEGINNING);
    void queries.resetQueries({ queryKey: [...queryKey, 'page'] });
  };
  const at = (n: number): T | undefined => {
    const page = pageOf(laid.starts, n);
    return here.get(page)?.data?.items[n - (laid.starts[page] ?? 0)];
  };
  return {
    rows: { length: laid.count, at },
    first: results[0]?.data?.items ?? [],
    partial: !laid.ended,
    busy: !laid.ended && (here.get(index.length - 1)?.isFetching ?? false),
    error: failed?.error ?? null,
    see,
    retry: () => results.forEach((one) => { if (one.isError) void one.refetch(); }),
    restart,
  };
}
