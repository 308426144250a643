import { ActionIcon, Menu } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { useMe } from '../../api/me';
import { operators as texts, roles } from '../../texts/access';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { Once } from '../../ui/once';
import { ProblemAlert } from '../../ui/problem';
import { Rows, type Column } from '../../ui/table';
import { Tag } from '../../ui/tag';
import { tell } from '../../ui/tell';
import { Time } from '../../ui/time';
import { OperatorForm, type Operator } from './form';

type Step = 'sign-out' | 'disable' | 'enable' | 'remove';

export default function Operators() {
  const me = useMe();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [form, setForm] = useState<{ of?: Operator }>();
  const [link, setLink] = useState<{ name: string; link: string }>();
  const query = useQuery({ queryKey: ['operators'], queryFn: () => ask(api.GET('/api/v1/operators')) });
  const again = () => void queries.invalidateQueries({ queryKey: ['operators'] });
  const step = useMutation({
    mutationFn: ({ of, to }: { of: Operator; to: Step }) => {
      const path = { params: { path: { id: of.id } } };
      if (to === 'sign-out') return ask<unknown>(api.POST('/api/v1/operators/{id}/sign-out', path));
      if (to === 'remove') return ask<unknown>(api.DELETE('/api/v1/operators/{id}', path));
      return ask<unknown>(api.PATCH('/api/v1/operators/{id}', { ...path, body: { disabled: to === 'disable' } as never }));
    },
    onSuccess: (_, { of, to }) => { again(); tell(to === 'sign-out' ? texts.signedOut(of.name) : to === 'remove' ? texts.removed(of.name) : texts.saved(of.name)); },
  });
  const relink = useMutation({
    mutationFn: (of: Operator) => ask(api.POST('/api/v1/operators/{id}/link', { params: { path: { id: of.id } } })),
    onSuccess: (made) => setLink({ name: made.name, link: made.link }),
  });
  const sure = async (of: Operator, to: Step, title: string, body: string, action: string) => {
    if (await confirm({ title, body, hits: [of.name], action, danger: true })) step.mutate({ of, to });
  };
  const writes = me.may('operators:write');
  const columns: Column<Operator>[] = [
    { key: 'name', header: texts.name, width: 'minmax(120px, 1fr)', narrow: 'first', cell: (o) => <b>{o.name}</b> },
    { key: 'state', header: texts.state, width: '120px', narrow: 'first', cell: (o) => (o.disabled ? <Tag tone="bad">{texts.disabled}</Tag> : <Tag tone="ok">{o.of_provider ? texts.provider : texts.active}</Tag>) },
    { key: 'roles', header: texts.roles, width: 'minmax(140px, 1.4fr)', cell: (o) => o.roles.map((role) => roles[role] ?? role).join(', ') },
    { key: 'sites', header: texts.sites, width: 'minmax(90px, 1fr)', cell: (o) => o.sites?.join(', ') ?? texts.everywhere },
    { key: 'email', header: texts.email, width: 'minmax(100px, 1fr)', narrow: 'hidden', cell: (o) => o.email },
    { key: 'since', header: texts.since, width: '110px', narrow: 'hidden', cell: (o) => <Time at={o.created_at} /> },
    {
      key: 'acts', header: '', width: '40px', narrow: 'first', cell: (o) => writes && (
        <Menu position="bottom-end" withinPortal>
          <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={`${texts.more}: ${o.name}`}><Icon name="down" size={14} /></ActionIcon></Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => setForm({ of: o })}>{texts.edit}</Menu.Item>
            <Menu.Item onClick={async () => { if (await confirm({ title: texts.newLinkTitle, body: texts.newLinkBody, hits: [o.name], action: texts.newLink })) relink.mutate(o); }}>{texts.newLink}</Menu.Item>
            <Menu.Item onClick={() => step.mutate({ of: o, to: 'sign-out' })}>{texts.signOut}</Menu.Item>
            {o.disabled
              ? <Menu.Item onClick={() => step.mutate({ of: o, to: 'enable' })}>{texts.enable}</Menu.Item>
              : <Menu.Item color="red" onClick={() => void sure(o, 'disable', texts.disableTitle, texts.disableBody, texts.disable)}>{texts.disable}</Menu.Item>}
            <Menu.Item color="red" onClick={() => void sure(o, 'remove', texts.removeTitle, texts.removeBody, texts.remove)}>{texts.remove}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ),
    },
  ];
  return (
    <PageFrame title={texts.title} hint={texts.hint} full actions={<Act permission="operators:write" icon="plus" variant="filled" onClick={() => setForm({})}>{texts.invite}</Act>}>
      <ProblemAlert error={query.error} />
      <Rows label={texts.title} columns={columns} rows={query.data ?? []} busy={query.isPending} rowKey={(o) => o.id} empty={<Empty title={texts.empty}>{texts.emptyHint}</Empty>} />
      {form && <OperatorForm of={form.of} close={() => setForm(undefined)} invited={(made) => setLink({ name: made.name, link: made.link })} />}
      {link && <Once title={texts.link} hint={texts.linkOnce(link.name)} value={link.link} close={() => setLink(undefined)} />}
    </PageFrame>
  );
}
