/// Making a playbook, and changing it: as a form, or as the text that the API takes.
import { Button, Group, NativeSelect, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { api, ask, Problem } from '../../api/client';
import type { Named } from '../../api/objects';
import { useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { playbookForm as texts, playbooks as words } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';
import { bookOf, draftOf, faultsOf, lineOf, NEW, read, written, type Book } from './draft';
import { BookForm } from './form';
import './playbooks.css';
import { useShipped } from './shipped';

const Editor = lazy(() => import('../policy/editor'));

/// The name is of the address, and what describes its place is the server's.
const bodyOf = ({ name: _, home: __, ...book }: Named<Book>): Book => book as Book;

function Edit({ name: known, suggested, begin }: { name?: string; suggested?: string; begin: Book }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState(known ?? suggested ?? '');
  const [draft, setDraft] = useState(() => draftOf(begin));
  const [text, setText] = useState<string>();
  const [reason, setReason] = useState('');
  const typed = text === undefined ? undefined : read(text);
  const book = typed === undefined ? bookOf(draft) : 'book' in typed ? typed.book : undefined;
  const save = useMutation({
    mutationFn: (body: Book) => ask<unknown>(api.PUT('/api/v1/playbooks/{name}', { params: { path: { name: name.trim() }, query: { reason: reason.trim() || undefined } }, body })),
    meta: { shown: true },
    onSuccess: () => {
      tell(texts.saved(name));
      void queries.invalidateQueries({ queryKey: ['playbooks'] });
      void navigate({ to: '/playbooks' as never, search: { tab: 'books' } as never });
    },
  });
  const problem = save.error instanceof Problem ? save.error : null;
  const { at, rest } = faultsOf(problem);
  const show = (as: string) => {
    if (as === 'text') setText(written(bookOf(draft)));
    else if (book) { setDraft(draftOf(book)); setText(undefined); }
  };
  const marks = text === undefined ? [] : typed && 'message' in typed
    ? [{ line: typed.line, message: typed.message, severity: 'error' as const }]
    : Object.entries(at).map(([field, message]) => ({ line: lineOf(text, field), message, severity: 'error' as const }));
  return (
    <form onSubmit={(e) => { e.preventDefault(); if (book) save.mutate(book); }}>
      <Stack gap="sm">
        <Group gap="sm" align="flex-start">
          <TextInput name="name" label={texts.name} required maxLength={64} w={240} disabled={known !== undefined} value={name} onChange={(e) => setName(e.currentTarget.value)} error={at.name} />
          {text === undefined && <NativeSelect name="mode" label={words.mode} w={140} value={draft.mode} onChange={(e) => setDraft({ ...draft, mode: e.currentTarget.value })} data={Object.entries(words.modes).map(([value, label]) => ({ value, label }))} error={at.mode} />}
          {text === undefined && <TextInput name="description" label={texts.description} flex={1} miw={220} value={draft.description} onChange={(e) => setDraft({ ...draft, description: e.currentTarget.value })} />}
        </Group>
        <SegmentedControl aria-label={texts.view} w="fit-content" value={text === undefined ? 'form' : 'text'} onChange={show} disabled={text !== undefined && !book} data={[{ value: 'form', label: texts.asForm }, { value: 'text', label: texts.asText }]} />
        {text === undefined
          ? <BookForm draft={draft} set={(part) => setDraft((now) => ({ ...now, ...part }))} wrong={at} />
          : (
            <div>
              <Suspense fallback={<Text size="sm" c="dimmed">{common.loading}</Text>}><Editor label={texts.asText} language="json" text={text} set={setText} marks={marks} /></Suspense>
              {marks.map(({ line, message }) => <Text key={`${line} ${message}`} size="sm" c="var(--mantine-color-error)" role="alert">{texts.line(line)}: {message}</Text>)}
            </div>
          )}
        {problem && (rest.length > 0 || problem.errors.length === 0) && Object.keys(at).length === 0 && <ProblemAlert error={problem} />}
        {problem && rest.length > 0 && Object.keys(at).length > 0 && rest.map((fault) => <Text key={fault.message} size="sm" c="var(--mantine-color-error)">{fault.message}. {fault.remedy}</Text>)}
        <TextInput name="reason" label={common.reason} description={common.reasonHint} maw={560} maxLength={200} value={reason} onChange={(e) => setReason(e.currentTarget.value)} />
        <Group gap="xs">
          <Act permission="policy:write" type="submit" variant="filled" loading={save.isPending} disabled={!book}>{common.save}</Act>
          <Button variant="default" onClick={() => history.back()}>{common.cancel}</Button>
        </Group>
      </Stack>
    </form>
  );
}

export default function EditPage() {
  const { name } = useParams({ strict: false }) as { name?: string };
  const [{ from }] = useParameters();
  const shipped = useShipped();
  const query = useQuery({
    queryKey: ['playbooks', 'one', name],
    queryFn: async () => (await ask<unknown>(api.GET('/api/v1/playbooks/{name}', { params: { path: { name: name ?? '' } } }))) as Named<Book>,
    enabled: name !== undefined,
    // What is being edited is not what changes behind it.
    staleTime: Infinity, gcTime: 0,
  });
  const template = shipped.data?.find((one) => one.name === from);
  const begin = name !== undefined ? query.data && bodyOf(query.data) : from ? template && { ...bodyOf(template), mode: 'dry_run' } : bookOf(NEW);
  return (
    <PageFrame title={name === undefined ? texts.create : texts.edit(name)} hint={<To to="/playbooks" search={{ tab: 'books' }}>{texts.back}</To>}>
      <ProblemAlert error={query.error ?? shipped.error} />
      {begin && <Edit name={name} suggested={from} begin={begin} key={`${name} ${from}`} />}
    </PageFrame>
  );
}
