/// A list that the server pages and the browser shows a window of: a million rows scroll as ten do.
import { Loader, Text, VisuallyHidden } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { common } from '../texts/common';
import { Empty } from './empty';
import { NARROW } from './narrow';
import { usePages, type Listed, type Paged } from './pages';
import { ProblemAlert } from './problem';
import { shifted, SPAN } from './span';

export interface Column<T> {
  key: string;
  header: string;
  /// Its track of the grid, such as `120px` or `minmax(100px, 1fr)`.
  width: string;
  cell: (row: T) => ReactNode;
  /// On a narrow screen: on the row's first line, on its second, or not at all.
  narrow?: 'first' | 'second' | 'hidden';
}

interface RowsProps<T> {
  label: string;
  columns: Column<T>[];
  rows: Listed<T>;
  rowKey: (row: T) => string;
  /// Where a row leads.
  rowTo?: (row: T) => string | undefined;
  /// Is told which rows are seen: those are asked for that are not here.
  see?: (from: number, to: number) => void;
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

function Waiting() {
  return <div className="rows-wait"><Loader size={18} aria-label={common.loading} /></div>;
}

/// Rows, of which those are in the document that are seen. Of very many the scroller holds a span, which moves along: browsers
/// draw nothing that is higher than some ten million pixels.
export function Rows<T>({ label, columns, rows, rowKey, rowTo, see, partial = false, busy = false, empty, height, onTop }: RowsProps<T>) {
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const size = narrow ? ROW_NARROW : ROW;
  const scroller = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const [base, setBase] = useState(0);
  const virtual = useVirtualizer({
    count: Math.max(0, Math.min(rows.length - base, SPAN)),
    getScrollElement: () => scroller.current,
    estimateSize: () => size,
    overscan: OVERSCAN,
    scrollPaddingStart: narrow ? 0 : ROW,
  });
  useEffect(() => virtual.measure(), [size, virtual]);
  const items = virtual.getVirtualItems();
  const first = base + (items.at(0)?.index ?? 0);
  const last = base + (items.at(-1)?.index ?? 0);
  useEffect(() => see?.(first, last), [see, first, last]);
  const top = base === 0 && (virtual.scrollOffset ?? 0) < ROW;
  useEffect(() => onTop?.(top), [onTop, top]);
  // Where the span begins and how far it is scrolled change as one, so that no other rows are seen in between.
  const place = (to: number, offset: number) => {
    if (!scroller.current) return;
    scroller.current.scrollTop = offset;
    virtual.scrollOffset = scroller.current.scrollTop;
    setBase(to);
  };
  const moved = shifted(base, first, last, rows.length);
  useLayoutEffect(() => {
    if (moved !== base) place(moved, (scroller.current?.scrollTop ?? 0) - (moved - base) * size);
  });
  const template = columns.map((column) => column.width).join(' ');
  const shown = narrow ? columns.filter((column) => column.narrow !== 'hidden') : columns;
  // A row that a key leads to is in the document some frames later, and is another once what is in it has come.
  const target = useRef<number>(undefined);
  useEffect(() => {
    const row = target.current === undefined ? null : scroller.current?.querySelector<HTMLElement>(`[data-index="${target.current}"]`);
    if (!row) return;
    row.focus({ preventScroll: true });
    if (!row.ariaBusy) target.current = undefined;
  });
  // Whoever scrolls away from the row that has the focus goes on with their keys from what is seen.
  const held = useRef<Element>(undefined);
  useEffect(() => {
    if (held.current?.isConnected === false && document.activeElement === document.body) scroller.current?.focus({ preventScroll: true });
  });
  const keys = (e: KeyboardEvent<HTMLDivElement>) => {
    const within = (e.target as Element).closest<HTMLElement>('[data-index]');
    const n = within ? Number(within.dataset.index) : base + Math.floor((virtual.scrollOffset ?? 0) / size);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / size) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -n, End: rows.length }[e.key];
    const row = rows.at(n);
    if (step !== undefined) {
      e.preventDefault();
      const to = Math.min(rows.length - 1, Math.max(0, n + step));
      target.current = to;
      const begin = Math.max(0, Math.min(to - SPAN / 2, rows.length - SPAN));
      if (to < base || to >= base + SPAN) place(begin, (to - begin) * size);
      else virtual.scrollToIndex(to - base);
      scroller.current?.querySelector<HTMLElement>(`[data-index="${to}"]`)?.focus({ preventScroll: true });
    } else if (e.key === 'Enter' && row !== undefined && e.target === within) {
      const to = rowTo?.(row);
      if (to) void navigate({ to: to as never });
    }
  };
  return (
    <div className="rows" data-narrow={narrow || undefined}>
      <div ref={scroller} className="rows-body" role="table" aria-label={label} aria-rowcount={partial ? -1 : rows.length + 1} tabIndex={rows.length > 0 ? -1 : 0} onKeyDown={keys} onFocus={(e) => { held.current = e.target; }} onBlur={(e) => { if (e.target.isConnected) held.current = undefined; }} style={height === undefined ? undefined : { maxHeight: height }}>
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
            const n = base + item.index;
            const row = rows.at(n);
            const to = row === undefined ? undefined : rowTo?.(row);
            const cell = (column: Column<T>) => <div role="cell" key={column.key}>{row === undefined ? null : column.cell(row)}</div>;
            return (
              <div
                key={row === undefined ? n : rowKey(row)}
                role="row"
                className={to ? 'row row-link' : 'row'}
                aria-rowindex={n + 2}
                aria-busy={row === undefined || undefined}
                data-index={n}
                tabIndex={0}
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
                      {shown.filter((column) => (column.narrow ?? 'second') === line).map(cell)}
                    </div>
                  ))
                  : columns.map(cell)}
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

interface TableProps<T> extends Omit<RowsProps<T>, 'rows' | 'see' | 'partial' | 'busy'> {
  /// Names the list with its filters, so that each is kept apart.
  queryKey: readonly unknown[];
  /// The page that begins at a cursor; undefined is the first.
  fetch: (cursor: string | undefined) => Promise<Paged<T>>;
  /// How often the first page is asked for again, in milliseconds: only while it is alone, since to ask for all that were
  /// scrolled through again would be a burden.
  refresh?: number;
}

function Paging<T>({ queryKey, fetch, refresh, ...rest }: TableProps<T>) {
  const pages = usePages({ queryKey, fetch, refresh });
  return (
    <>
      <ProblemAlert error={pages.error} retry={pages.retry} />
      <Rows {...rest} rows={pages.rows} see={pages.see} partial={pages.partial} busy={pages.busy} />
    </>
  );
}

/// A list of the server's. Another filter is another list, which begins at its top.
export function DataTable<T>(props: TableProps<T>) {
  return <Paging key={JSON.stringify(props.queryKey)} {...props} />;
}
