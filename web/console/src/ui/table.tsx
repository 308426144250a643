/// A list that the server pages and the browser shows a window of: a million rows scroll as ten do.
import { Loader, Text, VisuallyHidden } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useInfiniteQuery, type QueryKey } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { common } from '../texts/common';
import { Empty } from './empty';
import { NARROW } from './narrow';
import { ProblemAlert } from './problem';

export interface Column<T> {
  key: string;
  header: string;
  /// Its track of the grid, such as `120px` or `minmax(100px, 1fr)`.
  width: string;
  cell: (row: T) => ReactNode;
  /// On a narrow screen: on the row's first line, on its second, or not at all.
  narrow?: 'first' | 'second' | 'hidden';
}

export interface Paged<T> {
  items: T[];
  next: string | null;
}

interface RowsProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  /// Where a row leads.
  rowTo?: (row: T) => string | undefined;
  /// Rows are asked for as the end comes near.
  more?: () => void;
  /// Whether there may be more than are here.
  partial?: boolean;
  busy?: boolean;
  empty?: ReactNode;
  height?: number | string;
  /// Whether the first row is in view, when that changes.
  onTop?: (top: boolean) => void;
}

/// Heights of a row, in pixels: in a table, and on two lines.
const ROW = 34;
const ROW_NARROW = 58;
/// Rows that are kept above and below what is seen.
const OVERSCAN = 12;
/// How near the end the next page is asked for, in rows.
const NEAR = 40;

function Waiting() {
  return <div className="rows-wait"><Loader size={18} aria-label={common.loading} /></div>;
}

/// Rows, of which those are in the page that are seen.
export function Rows<T>({ label, columns, rows, rowKey, rowTo, more, partial = false, busy = false, empty, height, onTop }: RowsProps<T>) {
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const scroller = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? ROW_NARROW : ROW),
    overscan: OVERSCAN,
    scrollPaddingStart: narrow ? 0 : ROW,
    getItemKey: (n) => { const row = rows[n]; return row === undefined ? n : rowKey(row); },
  });
  useEffect(() => virtual.measure(), [narrow, virtual]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (more && last >= rows.length - NEAR) more();
  }, [more, last, rows.length]);
  const top = (virtual.scrollOffset ?? 0) < ROW;
  useEffect(() => onTop?.(top), [onTop, top]);
  const template = columns.map((column) => column.width).join(' ');
  const shown = narrow ? columns.filter((column) => column.narrow !== 'hidden') : columns;
  const keys = (e: KeyboardEvent<HTMLDivElement>, n: number) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    const row = rows[n];
    if (step !== undefined) {
      e.preventDefault();
      virtual.scrollToIndex(n + step);
      requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${n + step}"]`)?.focus());
    } else if (e.key === 'Enter' && row !== undefined && e.target === e.currentTarget) {
      const to = rowTo?.(row);
      if (to) void navigate({ to: to as never });
    }
  };
  return (
    <div className="rows" data-narrow={narrow || undefined}>
      <div ref={scroller} className="rows-body" role="table" aria-label={label} aria-rowcount={partial ? -1 : rows.length + 1} tabIndex={rows.length > 0 ? -1 : 0} style={height === undefined ? undefined : { maxHeight: height }}>
        {!narrow && rows.length > 0 && (
          <div role="rowgroup" className="rows-head-group">
            <div className="rows-head" role="row" style={{ gridTemplateColumns: template }}>
              {columns.map((column) => <div role="columnheader" key={column.key}>{column.header || <VisuallyHidden>{common.actions}</VisuallyHidden>}</div>)}
            </div>
          </div>
        )}
        {rows.length === 0 && <div role="row"><div role="cell">{busy ? <Waiting /> : empty ?? <Empty title={common.noneHere} />}</div></div>}
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const to = rowTo?.(row);
            return (
              <div
                key={item.key}
                role="row"
                className={to ? 'row row-link' : 'row'}
                aria-rowindex={item.index + 2}
                data-index={item.index}
                tabIndex={0}
                onKeyDown={(e) => keys(e, item.index)}
                onClick={(e) => {
                  // Links, and text that is being marked, are for themselves.
                  if (!to || (e.target as Element).closest('a,button') || getSelection()?.toString()) return;
                  void navigate({ to: to as never });
                }}
                style={{ transform: `translateY(${item.start}px)`, height: item.size, gridTemplateColumns: narrow ? undefined : template }}
              >
                {narrow
                  ? (['first', 'second'] as const).map((line) => (
                    <div key={line} className={`row-${line}`} role="presentation">
                      {shown.filter((column) => (column.narrow ?? 'second') === line).map((column) => <div role="cell" key={column.key}>{column.cell(row)}</div>)}
                    </div>
                  ))
                  : columns.map((column) => <div role="cell" key={column.key}>{column.cell(row)}</div>)}
              </div>
            );
          })}
        </div>
      </div>
      <div className="rows-foot">
        <Text size="xs" c="dimmed" aria-live="polite">{busy ? common.loading : common.loaded(rows.length, !partial)}</Text>
        {busy && rows.length > 0 && <Loader size={12} aria-hidden="true" />}
      </div>
    </div>
  );
}

interface TableProps<T> extends Omit<RowsProps<T>, 'rows' | 'more' | 'partial' | 'busy'> {
  /// Names the list with its filters, so that each is kept apart.
  queryKey: QueryKey;
  /// The page that begins at a cursor; undefined is the first.
  fetch: (cursor: string | undefined) => Promise<Paged<T>>;
  /// How often the first page is asked for again, in milliseconds.
  refresh?: number;
}

/// A list of the server's.
export function DataTable<T>({ queryKey, fetch, refresh, ...rest }: TableProps<T>) {
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => fetch(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    // Only while one page is here: to ask for all that were scrolled through again would be a burden.
    refetchInterval: (query) => (refresh && (query.state.data?.pages.length ?? 0) <= 1 ? refresh : false),
    refetchOnWindowFocus: false,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage, isError } = query;
  const more = useMemo(
    () => (hasNextPage && !isFetchingNextPage && !isError ? () => void fetchNextPage() : undefined),
    [hasNextPage, isFetchingNextPage, isError, fetchNextPage],
  );
  return (
    <>
      <ProblemAlert error={query.error} retry={() => void query.refetch()} />
      <Rows {...rest} rows={rows} more={more} partial={hasNextPage} busy={query.isPending || isFetchingNextPage} />
    </>
  );
}

