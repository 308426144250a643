/// A page that is a list of the server's: what it is narrowed by, and how it is taken away as a table.
import { Button } from '@mantine/core';
import { useMemo, type ReactNode } from 'react';
import { stringifySearch, useParameters, type Params } from '../app/search';
import { common } from '../texts/common';
import { Empty } from './empty';
import { Filters, wanted, type Filter } from './filters';
import { PageFrame } from './heading';
import { Icon } from './icons';

interface Words {
  title: string;
  hint: string;
  /// What is said where nothing is, and what to do then.
  empty: string;
  emptyHint: string;
}

/// What the address narrows a list to.
export function useWanted(filters: Filter[]): Params {
  const [params] = useParameters();
  return useMemo(() => wanted(params, filters), [params, filters]);
}

/// What stands where no row is: nothing yet, or nothing that fits.
export function Nothing({ query, words }: { query: Params; words: Pick<Words, 'empty' | 'emptyHint'> }) {
  const filtered = Object.values(query).some(Boolean);
  return <Empty title={filtered ? common.noneFiltered : words.empty}>{filtered ? common.noneFilteredHint : words.emptyHint}</Empty>;
}

interface Props {
  words: Words;
  filters: Filter[];
  /// Where it is to be had as CSV, and what it is narrowed to there.
  csv?: `/api/v1/${string}.csv`;
  query?: Params;
  actions?: ReactNode;
  /// What stands above the filters.
  above?: ReactNode;
  children: ReactNode;
}

export function ListPage({ words, filters, csv, query = {}, actions, above, children }: Props) {
  const taken = csv && <Button variant="default" component="a" href={`${csv}${stringifySearch(query)}`} leftSection={<Icon name="download" size={14} />}>{common.exportCsv}</Button>;
  return (
    <PageFrame title={words.title} hint={words.hint} full actions={(taken || actions) && <>{taken}{actions}</>}>
      {above}
      <Filters of={filters} />
      {children}
    </PageFrame>
  );
}
