import { Button, Group, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api, ask } from '../../api/client';
import { stringifySearch, useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { decisions as texts } from '../../texts/decisions';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Outcome, Tag } from '../../ui/tag';
import { Time } from '../../ui/time';
import { canBeLive, rowOf, useLiveRows, type Row } from './live';

const FILTERS: Filter[] = [
  { key: 'outcome', label: texts.outcomeHead, kind: 'select', width: 120, options: Object.entries(texts.outcome).map(([value, label]) => ({ value, label })) },
  { key: 'identity', label: texts.who, kind: 'text', width: 140 },
  { key: 'mac', label: texts.mac, kind: 'text', width: 150 },
  { key: 'nas', label: texts.nas, kind: 'text', width: 120 },
  { key: 'site', label: texts.site, kind: 'text', width: 100 },
  { key: 'profile', label: texts.profile, kind: 'text', width: 110 },
  { key: 'reason', label: texts.reason, kind: 'text', width: 150 },
  { key: 'since', label: texts.since, kind: 'time' },
  { key: 'until', label: texts.until, kind: 'time' },
];

const COLUMNS: Column<Row>[] = [
  { key: 'at', header: texts.at, width: '120px', cell: (d) => <Time at={d.at} /> },
  { key: 'who', header: texts.who, width: 'minmax(120px, 1.2fr)', narrow: 'first', cell: (d) => d.who ?? d.mac ?? common.unknown },
  { key: 'outcome', header: texts.outcomeHead, width: '104px', narrow: 'first', cell: (d) => <Outcome of={d.outcome} /> },
  { key: 'nas', header: texts.device, width: 'minmax(90px, .8fr)', cell: (d) => d.nas },
  { key: 'mac', header: texts.mac, width: '140px', narrow: 'hidden', cell: (d) => <span className="mono">{d.mac}</span> },
  { key: 'profile', header: texts.profile, width: 'minmax(80px, .6fr)', narrow: 'hidden', cell: (d) => d.profile },
  { key: 'reason', header: texts.reason, width: 'minmax(160px, 2fr)', cell: (d) => <span title={d.reason}>{d.reason}</span> },
];

export default function Decisions() {
  const [params] = useParameters();
  const query = useMemo(() => wanted(params, FILTERS), [params]);
  const live = canBeLive(query);
  const [paused, pause] = useState(false);
  const [top, setTop] = useState(true);
  const past = useInfiniteQuery({
    queryKey: ['decisions', query],
    queryFn: ({ pageParam }) => ask(api.GET('/api/v1/decisions', { params: { query: { ...query, cursor: pageParam, limit: 100 } as never } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
  const coming = useLiveRows(query, live, paused || !top, () => void past.refetch());
  const rows = useMemo(() => {
    if (coming.overflown) return coming.rows;
    const seen = new Set(coming.rows.map((row) => row.id));
    return [...coming.rows, ...(past.data?.pages.flatMap((page) => page.items).map(rowOf) ?? []).filter((row) => !seen.has(row.id))];
  }, [coming.rows, coming.overflown, past.data]);
  const filtered = Object.keys(query).length > 0;
  const { hasNextPage, isFetching, isError, fetchNextPage } = past;
  const more = hasNextPage && !isFetching && !isError && !coming.overflown ? () => void fetchNextPage() : undefined;
  return (
    <PageFrame
      title={texts.title}
      hint={texts.hint}
      full
      actions={<Button variant="default" component="a" href={`/api/v1/decisions.csv${stringifySearch(query)}`} leftSection={<Icon name="download" size={14} />}>{texts.export}</Button>}
    >
      <Filters of={FILTERS} />
      <Group gap="md" mb="xs" mih={30}>
        {live ? (
          <>
            <Tag tone={paused ? 'warn' : coming.state === 'open' ? 'ok' : 'quiet'}>{paused ? texts.paused : texts.liveState[coming.state]}</Tag>
            <Button variant="default" onClick={() => { pause(!paused); if (paused) coming.show(); }} leftSection={<Icon name={paused ? 'play' : 'pause'} size={12} />}>{paused ? texts.resume : texts.pause}</Button>
            <Text size="xs" c="dimmed" data-testid="rate">{texts.rate(coming.rate)}</Text>
            {coming.waiting > 0 && <Button variant="light" onClick={() => { coming.show(); document.querySelector('.rows-body')?.scrollTo({ top: 0 }); }}>{texts.waiting(coming.waiting)}</Button>}
            {coming.overflown && <Text size="xs" c="dimmed">{texts.overflow}</Text>}
          </>
        ) : <Text size="xs" c="dimmed">{texts.notLive}</Text>}
      </Group>
      <ProblemAlert error={past.error} retry={() => void past.refetch()} />
      <Rows
        label={texts.title}
        columns={COLUMNS}
        rows={rows}
        rowKey={(d) => d.id}
        rowTo={(d) => `/decisions/${d.id}`}
        more={more}
        partial={hasNextPage || coming.overflown}
        busy={past.isPending || past.isFetchingNextPage}
        onTop={setTop}
        empty={<Empty title={filtered ? common.noneFiltered : texts.empty}>{filtered ? common.noneFilteredHint : texts.emptyHint}</Empty>}
      />
    </PageFrame>
  );
}
