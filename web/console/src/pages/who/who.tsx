import { Button, Group, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { sessions as words } from '../../texts/sessions';
import { who as texts } from '../../texts/who';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Time, useClock, written } from '../../ui/time';
import { fromField, toField } from '../../ui/zoned';
import { whose, type Session } from '../sessions/list';
import { SessionTag } from '../sessions/tag';

const COLUMNS: Column<Session>[] = [
  { key: 'who', header: words.who, width: 'minmax(130px, 1.3fr)', narrow: 'first', cell: whose },
  { key: 'state', header: words.stateHead, width: '130px', narrow: 'first', cell: (s) => <SessionTag of={s.state} /> },
  { key: 'mac', header: words.mac, width: '140px', cell: (s) => <span className="mono">{s.mac}</span> },
  { key: 'nas', header: words.nas, width: 'minmax(100px, 1fr)', cell: (s) => s.nas.name },
  { key: 'port', header: words.port, width: 'minmax(80px, 1fr)', cell: (s) => s.nas.port },
  { key: 'from', header: words.started, width: '150px', cell: (s) => <Time at={s.started_at} exact /> },
  { key: 'last', header: words.last, width: '150px', cell: (s) => <Time at={s.stopped_at ?? s.last_at} exact /> },
];

const KEYS = ['ip', 'mac', 'nas', 'port'] as const;

export default function Who() {
  const [params, change] = useParameters();
  const { zone } = useClock();
  const [given, setGiven] = useState<Record<string, string>>(() => ({ ...Object.fromEntries(KEYS.map((key) => [key, params[key] ?? ''])), at: params.at ? toField(params.at, zone) : '' }));
  const query = Object.fromEntries([...KEYS, 'at'].map((key) => [key, params[key]]).filter(([, value]) => value));
  const asked = Boolean(query.ip || query.mac || (query.nas && query.port));
  const found = useQuery({ queryKey: ['who', query], enabled: asked, queryFn: () => ask(api.GET('/api/v1/who', { params: { query: query as never } })) });
  const field = (key: string, label: string, more?: object) => (
    <TextInput label={label} name={key} value={given[key] ?? ''} onChange={(e) => { const text = e.currentTarget.value; setGiven((now) => ({ ...now, [key]: text })); }} w={170} {...more} />
  );
  return (
    <PageFrame title={texts.title} hint={texts.hint} full>
      <form onSubmit={(e) => {
        e.preventDefault();
        change({ ...Object.fromEntries(KEYS.map((key) => [key, given[key]?.trim() || undefined])), at: given.at ? fromField(given.at, zone) : undefined });
      }}>
        <Group gap="xs" align="flex-end" mb="sm" className="filters">
          {field('ip', texts.ip)}
          {field('mac', texts.mac)}
          {field('nas', texts.nas)}
          {field('port', texts.port)}
          {field('at', `${texts.at} (${zone})`, { type: 'datetime-local', step: 1, w: 220 })}
          <Button type="submit">{texts.ask}</Button>
        </Group>
      </form>
      <ProblemAlert error={found.error} />
      {!asked && <Empty title={texts.begin}>{texts.beginHint}</Empty>}
      {found.data && (
        <>
          <Text size="sm" mb="xs" data-testid="at">{texts.at_(`${written(found.data.at, zone)} (${zone})`)}</Text>
          <Rows label={texts.title} columns={COLUMNS} rows={found.data.items} rowKey={(s) => s.id} rowTo={(s) => `/sessions/${s.id}`} empty={<Empty title={texts.none}>{texts.noneHint}</Empty>} />
        </>
      )}
    </PageFrame>
  );
}
