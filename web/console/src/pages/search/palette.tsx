/// One box for everything: keyboard first.
import { Group, Loader, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useRouter } from '@tanstack/react-router';
import { useId, useState, type KeyboardEvent } from 'react';
import { api, ask } from '../../api/client';
import { useMe } from '../../api/me';
import { pages } from '../../app/pages';
import { search as texts } from '../../texts/search';
import { Plain } from '../../ui/dialog';
import { Icon } from '../../ui/icons';
import { ProblemAlert } from '../../ui/problem';
import { Prose } from '../../ui/time';
import { placeOf } from './places';
import './palette.css';

/// How long typing rests before the server is asked, in milliseconds.
const REST_MS = 120;
/// The shortest text that the server looks for.
const SHORTEST = 2;

interface Choice {
  key: string;
  kind: string;
  title: string;
  detail: string;
  to: string;
}

export default function Palette({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [chosen, choose] = useState(0);
  const [rested] = useDebouncedValue(text.trim(), REST_MS);
  const list = useId();
  const navigate = useNavigate();
  const router = useRouter();
  const me = useMe();
  const found = useQuery({
    queryKey: ['search', rested],
    queryFn: ({ signal }) => ask(api.GET('/api/v1/search', { params: { query: { q: rested } }, signal })),
    enabled: rested.length >= SHORTEST && me.may('network:read'),
    placeholderData: keepPreviousData,
  });
  const named = text.trim().toLowerCase();
  const choices: Choice[] = [];
  if (named.length >= SHORTEST) {
    for (const hit of found.data?.hits ?? []) choices.push({ key: `${hit.kind} ${hit.id}`, kind: texts.kinds[hit.kind] ?? hit.kind, title: hit.title, detail: hit.detail, to: placeOf(hit) });
    if (found.data?.read_as === 'ip') choices.push({ key: 'when', kind: '', title: texts.when(text.trim()), detail: '', to: `/who?ip=${encodeURIComponent(text.trim())}` });
  }
  for (const page of pages) {
    if (page.nav && (named === '' || page.title.toLowerCase().includes(named)) && (!page.permission || me.may(page.permission))) choices.push({ key: page.path, kind: texts.pages, title: page.title, detail: '', to: page.path });
  }
  const at = Math.min(chosen, choices.length - 1);
  const go = (choice: Choice | undefined) => {
    if (!choice) return;
    close();
    void navigate({ href: router.history.createHref(choice.to) });
  };
  const keys = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step !== undefined) {
      e.preventDefault();
      const next = (at + step + choices.length) % Math.max(1, choices.length);
      choose(next);
      document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: 'nearest' });
    } else if (e.key === 'Enter') {
      e.preventDefault();
      // Of what is still being looked for, the first is not chosen unseen.
      if (rested === text.trim() && !found.isFetching) go(choices[at]);
    }
  };
  const none = choices.length === 0 && named.length >= SHORTEST && rested === text.trim() && !found.isFetching;
  return (
    <Plain opened onClose={close} label={texts.title} padding="xs" size="lg" yOffset="8vh" transitionProps={{ duration: 0 }}>
      <TextInput
        size="md"
        data-autofocus
        value={text}
        onChange={(e) => { setText(e.currentTarget.value); choose(0); }}
        onKeyDown={keys}
        placeholder={texts.placeholder}
        aria-label={texts.title}
        role="combobox"
        aria-expanded={choices.length > 0}
        aria-controls={list}
        aria-activedescendant={choices.length > 0 ? `${list}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        leftSection={<Icon name="search" />}
        rightSection={found.isFetching ? <Loader size={14} aria-hidden="true" /> : undefined}
        maxLength={200}
      />
      <ProblemAlert error={found.error} />
      <div className="palette" role="listbox" id={list} aria-label={texts.title}>
        {choices.map((choice, n) => (
          <div key={choice.key} id={`${list}-${n}`} role="option" aria-selected={n === at} className="palette-choice" onMouseMove={() => choose(n)} onClick={() => go(choice)}>
            <span className="palette-kind">{choice.kind}</span>
            <span className="palette-title">{choice.title}</span>
            <span className="palette-detail"><Prose>{choice.detail}</Prose></span>
          </div>
        ))}
      </div>
      {none && <Text size="sm" p="sm" role="status"><b>{texts.nothing(text.trim())}</b><br /><Text span size="sm" c="dimmed">{texts.nothingHint}</Text></Text>}
      <Group justify="space-between" px="xs" pt="xs"><Text size="xs" c="dimmed">{texts.keys}</Text><Text size="xs" c="dimmed">{named.length >= SHORTEST && found.data && texts.readAs[found.data.read_as]}</Text></Group>
    </Plain>
  );
}
