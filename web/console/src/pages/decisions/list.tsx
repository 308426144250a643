import { Button, Group, Text } from '@mantine/core';
import { useMemo, useState } from 'react';
import { api, ask } from '../../api/client';
import type { Params } from '../../app/search';
import { common } from '../../texts/common';
import { decisions as texts } from '../../texts/decisions';
import type { Filter } from '../../ui/filters';
import { Icon } from '../../ui/icons';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import { BY, macColumn, nasColumn, profileColumn } from '../../ui/network';
import { usePages, type Listed } from '../../ui/pages';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Outcome, Tag } from '../../ui/tag';
import { Time } from '../../ui/time';
import { canBeLive, rowOf, useLiveRows, type Row } from './live';

const FILTERS: Filter[] = [
  { key: 'outcome', label: texts.outcomeHead, kind: 'select', width: 120, options: Object.entries(texts.outcome).map(([value, label]) => ({ value, label })) },
  BY.who, BY.mac, BY.nas, BY.site, BY.profile,
  { key: 'reason', label: texts.reason, kind: 'text', width: 150 },
  BY.since, BY.until,
];

const COLUMNS: Column<Row>[] = [
  { key: 'at', header: texts.at, width: '120px', cell: (d) => <Time at={d.at} /> },
  { key: 'who', header: texts.who, width: 'minmax(120px, 1.2fr)', narrow: 'first', cell: (d) => d.who ?? d.mac ?? common.unknown },
  { key: 'outcome', header: texts.outcomeHead, width: '104px', narrow: 'first', cell: (d) => <Outcome of={d.outcome} /> },
  nasColumn((d) => d.nas),
  macColumn((d) => d.mac, 'hidden'),
  profileColumn((d) => d.profile),
  { key: 'reason', header: texts.reason, width: 'minmax(160px, 2fr)', cell: (d) => <span title={d.reason}>{d.reason}</span> },
];

/// What came while one looks, above the pages of what was there.
function Logins({ query }: { query: Params }) {
  const live = canBeLive(query);
  const [paused, pause] = useState(false);
  const [top, setTop] = useState(true);
  // Another list of rows begins at its top.
  const [round, toTop] = useState(0);
  const past = usePages({
    queryKey: ['decisions', query],
    fetch: async (cursor) => {
      const page = await ask(api.GET('/api/v1/decisions', { params: { query: { ...query, cursor, limit: 100 } as never } }));
      return { items: page.items.map(rowOf), next: page.next };
    },
  });
  const coming = useLiveRows(query, live, paused || !top, past.restart);
  // The stream begins before the first page is read: what is in both is there.
  const fresh = useMemo(() => {
    const there = new Set(past.first.map((row) => row.id));
    return coming.rows.filter((row) => !there.has(row.id));
  }, [coming.rows, past.first]);
  const rows: Listed<Row> = coming.overflown ? coming.rows : {
    length: fresh.length + past.rows.length,
    at: (n) => (n < fresh.length ? fresh[n] : past.rows.at(n - fresh.length)),
  };
  const see = (from: number, to: number) => { if (!coming.overflown) past.see(from - fresh.length, to - fresh.length); };
  return (
    <>
      <Group gap="md" mb="xs" mih={30}>
        {live ? (
          <>
            <Tag tone={paused ? 'warn' : coming.state === 'open' ? 'ok' : 'quiet'}>{paused ? texts.paused : texts.liveState[coming.state]}</Tag>
            <Button variant="default" onClick={() => { pause(!paused); if (paused) coming.show(); }} leftSection={<Icon name={paused ? 'play' : 'pause'} size={12} />}>{paused ? texts.resume : texts.pause}</Button>
            <Text size="xs" c="dimmed" data-testid="rate">{texts.rate(coming.rate)}</Text>
            {coming.waiting > 0 && <Button variant="light" onClick={() => { coming.show(); toTop((n) => n + 1); }}>{texts.waiting(coming.waiting)}</Button>}
            {coming.overflown && <Text size="xs" c="dimmed">{texts.overflow}</Text>}
          </>
        ) : <Text size="xs" c="dimmed">{texts.notLive}</Text>}
      </Group>
      <ProblemAlert error={past.error} retry={past.retry} />
      <Rows
        key={round}
        label={texts.title}
        columns={COLUMNS}
        rows={rows}
        rowKey={(d) => d.id}
        rowTo={(d) => `/decisions/${d.id}`}
        see={see}
        partial={past.partial || coming.overflown}
        busy={past.busy}
        onTop={setTop}
        empty={<Nothing query={query} words={texts} />}
      />
    </>
  );
}

export default function Decisions() {
  const query = useWanted(FILTERS);
  return (
    <ListPage words={texts} filters={FILTERS} csv="/api/v1/decisions.csv" query={query}>
      <Logins key={JSON.stringify(query)} query={query} />
    </ListPage>
  );
}
