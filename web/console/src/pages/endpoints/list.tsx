import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { endpoints as texts } from '../../texts/endpoints';
import type { Filter } from '../../ui/filters';
import { To } from '../../ui/link';
import { ListPage, Nothing, useWanted } from '../../ui/list';
import { BY, macColumn, nasColumn } from '../../ui/network';
import type { Paged } from '../../ui/pages';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { Time } from '../../ui/time';

type Endpoint = Schemas['Page_Endpoint']['items'][number];

/// Pages that are looked through at a time for endpoints that are nobody's, which the server does not sort out.
const LOOKED_THROUGH = 5;

const FILTERS: Filter[] = [
  { key: 'known', label: texts.known, kind: 'select', width: 130, options: [{ value: 'false', label: texts.knownNo }, { value: 'true', label: texts.knownYes }] },
  BY.mac,
  { key: 'vendor', label: texts.vendor, kind: 'text', width: 140 },
  { key: 'category', label: texts.category, kind: 'text', width: 120 },
  BY.nas,
  BY.site,
  { key: 'randomized', label: texts.randomized, kind: 'select', width: 130, options: [{ value: 'true', label: texts.randomizedYes }, { value: 'false', label: texts.randomizedNo }] },
  { key: 'signal', label: texts.signal, kind: 'text', width: 150 },
];

const COLUMNS: Column<Endpoint>[] = [
  macColumn((e) => e.mac, 'first'),
  { key: 'identity', header: texts.identity, width: 'minmax(130px, 1.2fr)', narrow: 'first', cell: (e) => (e.identity ? e.identity.name : <Tag tone="warn">{texts.unknown}</Tag>) },
  { key: 'category', header: texts.category, width: 'minmax(100px, .8fr)', cell: (e) => e.category },
  { key: 'vendor', header: texts.vendor, width: 'minmax(120px, 1fr)', narrow: 'hidden', cell: (e) => e.vendor ?? (e.randomized ? texts.randomizedYes : null) },
  nasColumn((e) => e.nas && `${e.nas.name} ${e.nas.port ?? ''}`),
  { key: 'ip', header: texts.ip, width: '120px', narrow: 'hidden', cell: (e) => e.ip },
  { key: 'last', header: texts.last, width: '110px', cell: (e) => <Time at={e.last_at} /> },
];

const ADOPT: Column<Endpoint> = {
  key: 'adopt', header: texts.adopt, width: '70px', narrow: 'hidden',
  cell: (e) => !e.identity && e.mac && <To to="/identities/new" search={{ mac: e.mac, kind: 'device' }} aria-label={`${texts.adopt} ${e.mac}`}>{texts.adopt}</To>,
};

async function page({ known, ...query }: Record<string, string | undefined>, cursor: string | undefined): Promise<Paged<Endpoint>> {
  let next = cursor;
  const items: Endpoint[] = [];
  for (let n = 0; n < LOOKED_THROUGH; n += 1) {
    const found = await ask(api.GET('/api/v1/endpoints', { params: { query: { ...query, cursor: next, limit: 100 } as never } }));
    items.push(...found.items.filter((e) => known === undefined || String(e.identity !== null) === known));
    if (items.length > 0 || found.next === null) return { items, next: found.next };
    next = found.next;
  }
  return { items, next: next ?? null };
}

export default function Endpoints() {
  const me = useMe();
  const query = useWanted(FILTERS);
  const { known: _, ...asked } = query;
  return (
    <ListPage words={texts} filters={FILTERS} csv="/api/v1/endpoints.csv" query={asked}>
      <DataTable
        label={texts.title}
        columns={me.may('inventory:write') ? [...COLUMNS, ADOPT] : COLUMNS}
        queryKey={['endpoints', query]}
        fetch={(cursor) => page(query, cursor)}
        rowKey={(e) => e.id}
        rowTo={(e) => `/endpoints/${e.id}`}
        empty={<Nothing query={query} words={texts} />}
      />
    </ListPage>
  );
}
