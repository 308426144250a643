/// The playbooks themselves.
import { Button, Group, Menu, NativeSelect, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { objects, type Named } from '../../api/objects';
import { identities } from '../../texts/identities';
import { playbookForm, playbooks as texts } from '../../texts/playbooks';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { Facts } from '../../ui/facts';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Tag, type Tone } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { DrillDialog } from './drill';
import { useShipped } from './shipped';

type Book = Named<Schemas['Playbook']>;

const MODES: Record<string, Tone> = { on: 'ok', dry_run: 'info', off: 'quiet' };
/// What turning it on wants to be asked first.
const WRITE = 'policy:write';

const to = (path: string, search?: Record<string, string>) => (props: object) => <Link {...props} to={path as never} search={(search ?? {}) as never} />;
const listed = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value)).replaceAll('_', ' ');

/// What sets it off, in words.
function whenText(when: unknown): string {
  const said = (when ?? {}) as Record<string, unknown>;
  const parts = Object.entries(said).filter(([key]) => key !== 'severity').map(([key, value]) => `${texts.sets[key] ?? key} ${listed(value)}`);
  return said.severity ? `${parts.join('; ')}, ${texts.atLeast} ${listed(said.severity)}` : parts.join('; ');
}

/// A step in words: what is done, and with what.
function stepText(step: unknown): string {
  const { do: what, ...rest } = step as Record<string, unknown>;
  const more = Object.values(rest).map(listed).join(', ');
  const name = playbookForm.steps[String(what)] ?? String(what);
  return more ? `${name} (${more})` : name;
}

function whomText(book: Book): string {
  const attributes = Object.entries(book.attributes ?? {}).map(([key, value]) => `${key}=${value}`);
  const all = [...(book.kinds ?? []).map((kind) => identities.kindOf[kind] ?? kind), ...(book.groups ?? []), ...attributes, ...(book.sites ?? [])];
  return all.length > 0 ? all.join(', ') : texts.everybody;
}

function OneBook({ of, drill }: { of: Book; drill: () => void }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const me = useMe();
  const done = (text: string) => { tell(text); void queries.invalidateQueries({ queryKey: ['playbooks'] }); };
  const path = { name: of.name };
  const turn = useMutation({
    mutationFn: ({ mode, reason }: { mode: string; reason: string }) => ask<unknown>(api.PATCH('/api/v1/playbooks/{name}', { params: { path, query: { reason: reason || undefined } }, body: { mode } as never })),
    onSuccess: () => done(texts.did),
  });
  const remove = useMutation({
    mutationFn: (reason: string) => ask<unknown>(api.DELETE('/api/v1/playbooks/{name}', { params: { path, query: { reason: reason || undefined } } })),
    onSuccess: () => done(texts.removed(of.name)),
  });
  const mode = of.mode ?? 'on';
  const inFile = of.home === 'file' ? texts.inFile : undefined;
  const set = async (next: string) => {
    const yes = await confirm({ title: texts.turnTitle(of.name, texts.modes[next] ?? next), body: texts.turnBody[next], action: texts.turn, reason: true, danger: next === 'on' });
    if (yes) turn.mutate({ mode: next, reason: yes.reason });
  };
  return (
    <Panel title={of.name} actions={(
      <Group gap="xs">
        {me.may(WRITE) && !inFile
          ? <NativeSelect aria-label={texts.modeOf(of.name)} w={110} value={mode} onChange={(e) => void set(e.currentTarget.value)} data={Object.entries(texts.modes).map(([value, label]) => ({ value, label }))} />
          : <Tag tone={MODES[mode] ?? 'quiet'}>{texts.modes[mode] ?? mode}</Tag>}
        <Act permission="sessions:change" icon="replay" size="compact-sm" onClick={drill}>{texts.drill}</Act>
        <Act permission={WRITE} icon="edit" size="compact-sm" why={inFile} {...(me.may(WRITE) && !inFile ? { renderRoot: to(`/playbooks/${encodeURIComponent(of.name)}/edit`) } : {})}>{texts.edit}</Act>
        <Act permission={WRITE} icon="trash" size="compact-sm" why={inFile} onClick={async () => {
          const yes = await confirm({ title: texts.removeTitle, body: texts.removeBody, hits: [of.name], action: texts.remove, danger: true, reason: true });
          if (yes) remove.mutate(yes.reason);
        }}>{texts.remove}</Act>
      </Group>
    )}>
      {of.description && <Text size="sm" c="dimmed" mb={4}>{of.description}</Text>}
      <Facts of={[
        [texts.when, whenText(of.when)],
        [texts.who, whomText(of)],
        [texts.does, of.steps.map(stepText).join(', then ')],
        [texts.ends, of.release === 'by_hand' ? playbookForm.releases.by_hand : playbookForm.releases.recovered],
      ]} />
    </Panel>
  );
}

export function Books() {
  const me = useMe();
  const [drilled, setDrilled] = useState<string>();
  const query = useQuery({ queryKey: ['playbooks', 'all'], queryFn: () => objects<Schemas['Playbook']>(ask<unknown>(api.GET('/api/v1/playbooks', { params: { query: { limit: 500 } } }))) });
  const shipped = useShipped();
  const there = new Set(query.data?.items.map((one) => one.name));
  const others = (shipped.data ?? []).filter((one) => !there.has(one.name));
  const add = me.may(WRITE) && (
    <Group gap="xs" mb="sm">
      <Button leftSection={<Icon name="plus" size={14} />} renderRoot={to('/playbooks/new')}>{texts.create}</Button>
      {others.length > 0 && (
        <Menu position="bottom-start" width={420}>
          <Menu.Target><Button variant="default" rightSection={<Icon name="down" size={12} />}>{texts.shipped}</Button></Menu.Target>
          <Menu.Dropdown>
            {others.map((one) => (
              <Menu.Item key={one.name} renderRoot={to('/playbooks/new', { from: one.name })}>
                <Text size="sm" fw={600}>{one.name}</Text><Text size="xs" c="dimmed">{one.description}</Text>
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
  return (
    <>
      {add}
      <ProblemAlert error={query.error} />
      {query.data?.items.length === 0 && <Empty title={texts.noBooks}>{texts.noBooksHint}</Empty>}
      <div className="stack">{query.data?.items.map((book) => <OneBook key={book.name} of={book} drill={() => setDrilled(book.name)} />)}</div>
      {drilled && <DrillDialog playbook={drilled} close={() => setDrilled(undefined)} />}
    </>
  );
}
