import { Button, Group, SegmentedControl, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMe } from '../../api/me';
import { stringifySearch, useParameters } from '../../app/search';
import { reports as texts } from '../../texts/reports';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import '../../ui/lists.css';
import { Panel } from '../../ui/panel';
import { Scroll } from '../../ui/scroll';
import { beginning } from './preview';
import './reports.css';

/// Lines that are shown before one takes the whole.
const SHOWN = 12;
const TIMES: Filter[] = [{ key: 'since', label: texts.since, kind: 'time' }, { key: 'until', label: texts.until, kind: 'time' }];
const NAS: Filter = { key: 'nas', label: texts.nas, kind: 'text' };
const IDENTITY: Filter = { key: 'identity', label: texts.identity, kind: 'text' };
const OUTCOME: Filter = { key: 'outcome', label: texts.outcome, kind: 'select', options: Object.entries(texts.outcomes).map(([value, label]) => ({ value, label })) };

/// What each report can be narrowed by.
const FILTERS: Record<string, Filter[]> = {
  decisions: [...TIMES, OUTCOME, NAS, IDENTITY],
  sessions: [...TIMES, NAS, IDENTITY],
  accounting: [...TIMES, NAS],
  endpoints: [],
  identities: [],
  audit: [...TIMES, { key: 'actor', label: texts.actor, kind: 'text' }],
};

export default function Reports() {
  const me = useMe();
  const [params, change] = useParameters();
  const kind = params.of && FILTERS[params.of] ? params.of : 'decisions';
  const filters = FILTERS[kind] ?? [];
  const search = stringifySearch(wanted(params, filters));
  const kinds = Object.entries(texts.kinds).filter(([value]) => value !== 'audit' || me.may('audit:read')).filter(([value]) => value !== 'identities' || me.may('inventory:read'));
  const url = `/api/v1/${kind}.csv${search}`;
  const preview = useQuery({ queryKey: ['report', url], queryFn: () => beginning(url, SHOWN + 1), retry: false });
  const [head, ...rows] = preview.data ?? [];
  const cleared = Object.fromEntries(Object.values(FILTERS).flat().map((filter) => [filter.key, undefined]));
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <div className="stack">
        <div className="tabs-scroll"><SegmentedControl aria-label={texts.what} value={kind} onChange={(of) => change({ ...cleared, of })} data={kinds.map(([value, label]) => ({ value, label }))} /></div>
        <Text size="sm" c="dimmed">{texts.hints[kind]}</Text>
        {filters.length > 0 && <Filters of={filters} />}
        <Group gap="xs">
          <Button component="a" href={url} download leftSection={<Icon name="download" size={14} />}>{texts.csv}</Button>
          <Button component="a" href={`/api/v1/${kind}.ndjson${search}`} download variant="default" leftSection={<Icon name="download" size={14} />}>{texts.json}</Button>
        </Group>
        <Panel title={texts.preview}>
          {preview.isError && <Text size="sm" c="dimmed">{texts.failed}</Text>}
          {preview.isSuccess && rows.length === 0 && <Text size="sm" c="dimmed">{texts.none}</Text>}
          {rows.length > 0 && head && (
            <Scroll label={texts.preview}>
              <table className="preview" data-testid="preview">
                <thead><tr>{head.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
                <tbody>{rows.map((row, n) => <tr key={n}>{row.map((cell, column) => <td key={column} title={cell}>{cell}</td>)}</tr>)}</tbody>
              </table>
            </Scroll>
          )}
        </Panel>
      </div>
    </PageFrame>
  );
}
