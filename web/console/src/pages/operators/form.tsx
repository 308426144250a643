import { Button, Checkbox, Group, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { objects } from '../../api/objects';
import { operators as texts, roles } from '../../texts/access';
import { common } from '../../texts/common';
import { Dialog } from '../../ui/dialog';
import { ProblemAlert } from '../../ui/problem';
import { tell } from '../../ui/tell';

export type Operator = Schemas['Operator'];

export function OperatorForm({ of, close, invited }: { of?: Operator; close: () => void; invited: (it: Schemas['InvitedOperator']) => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(of?.name ?? '');
  const [email, setEmail] = useState(of?.email ?? '');
  const [held, setHeld] = useState<string[]>(of?.roles ?? ['viewer']);
  const [sites, setSites] = useState<string[]>(of?.sites ?? []);
  const known = useQuery({ queryKey: ['sites', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/sites', { params: { query: { limit: 500 } } }))) });
  const save = useMutation({
    mutationFn: async () => {
      const body = { name: name.trim(), email: email.trim() || null, roles: held, sites: sites.length > 0 ? sites : null };
      if (of) return void await ask<unknown>(api.PATCH('/api/v1/operators/{id}', { params: { path: { id: of.id } }, body: body as never }));
      return ask(api.POST('/api/v1/operators', { body: { ...body, disabled: false } as never }));
    },
    meta: { shown: true },
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ['operators'] });
      if (made) invited(made);
      else tell(texts.saved(name));
      close();
    },
  });
  return (
    <Dialog opened onClose={close} title={of?.name ?? texts.invite}>
      <form onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
        <Stack gap="sm">
          {!of && <Text size="sm" c="dimmed">{texts.inviteHint}</Text>}
          <TextInput name="name" label={texts.name} description={texts.nameHint} required maxLength={64} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
          <TextInput name="email" type="email" label={texts.email} value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
          <Checkbox.Group label={texts.roles} value={held} onChange={setHeld}>
            <Group gap="sm" mt={4}>{Object.entries(roles).map(([value, label]) => <Checkbox key={value} value={value} label={label} />)}</Group>
          </Checkbox.Group>
          <TagsInput name="sites" label={texts.sites} description={texts.sitesHint} data={(known.data?.items ?? []).map((one) => one.name)} value={sites} onChange={setSites} />
          <ProblemAlert error={save.error} />
          <Group justify="flex-end" gap="xs"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={save.isPending} disabled={held.length === 0}>{common.save}</Button></Group>
        </Stack>
      </form>
    </Dialog>
  );
}
