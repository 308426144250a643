import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { useParameters } from '../../app/search';
import { certificates as texts } from '../../texts/certificates';
import { common } from '../../texts/common';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { To } from '../../ui/link';
import { DataTable, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time, useClock } from '../../ui/time';

type Certificate = Schemas['CertificateView'];

const FILTERS: Filter[] = [
  { key: 'q', label: texts.search, kind: 'text', width: 200 },
  { key: 'serial', label: texts.searchSerial, kind: 'text' },
  { key: 'revoked', label: texts.standing, kind: 'select', options: [{ value: 'false', label: texts.good }, { value: 'true', label: texts.revoked }] },
];

export function Issued() {
  const [params] = useParameters();
  const { now } = useClock();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = wanted(params, FILTERS);
  const revoke = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) => ask<unknown>(api.POST('/api/v1/ca/certificates/{id}/revoke', { params: { path: { id }, query: { reason: reason || undefined } as never } })),
    onSuccess: () => { tell(texts.wasRevoked); void queries.invalidateQueries(); },
  });
  const state = (c: Certificate) => {
    if (c.revoked_at) return <Tag tone="bad">{texts.revoked}</Tag>;
    return new Date(c.not_after).getTime() < now ? <Tag tone="quiet">{texts.expired}</Tag> : <Tag tone="ok">{texts.good}</Tag>;
  };
  const columns: Column<Certificate>[] = [
    { key: 'subject', header: texts.subject, width: 'minmax(150px, 1.4fr)', narrow: 'first', cell: (c) => <To to={`/identities/${c.identity}`}>{c.subject}</To> },
    { key: 'state', header: texts.state, width: '100px', narrow: 'first', cell: state },
    { key: 'ends', header: texts.ends, width: '120px', cell: (c) => <Time at={c.not_after} /> },
    { key: 'serial', header: texts.serial, width: 'minmax(150px, 1fr)', narrow: 'hidden', cell: (c) => <span className="mono">{c.serial}</span> },
    { key: 'by', header: texts.by, width: 'minmax(80px, .6fr)', narrow: 'hidden', cell: (c) => c.issued_by },
    {
      key: 'acts', header: '', width: '90px', narrow: 'hidden', cell: (c) => !c.revoked_at && (
        <Act permission="certificates:write" size="compact-xs" onClick={async () => {
          const yes = await confirm({ title: texts.revokeTitle, body: texts.revokeBody, hits: [`${c.subject} (${c.serial})`], action: texts.revoke, danger: true, reason: true });
          if (yes) revoke.mutate({ id: c.serial, reason: yes.reason });
        }}>{texts.revoke}</Act>
      ),
    },
  ];
  return (
    <>
      <Filters of={FILTERS} />
      <DataTable
        label={texts.tabs.issued ?? ''}
        columns={columns}
        queryKey={['issued', query]}
        fetch={(cursor) => ask(api.GET('/api/v1/ca/certificates', { params: { query: { ...query, cursor, limit: 100 } as never } }))}
        rowKey={(c) => c.serial}
        empty={Object.keys(query).length > 0 ? <Empty title={common.noneFiltered}>{common.noneFilteredHint}</Empty> : <Empty title={texts.empty}>{texts.emptyHint}</Empty>}
      />
    </>
  );
}
