/// What can be done to a session.
import { Group, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { session as texts } from '../../texts/sessions';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { tell } from '../../ui/tell';

type NewChange = Schemas['NewChange'];

export function SessionActions({ id, who, over }: { id: string; who: string; over: boolean }) {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const vlan = useRef('');
  const change = useMutation({
    mutationFn: (body: NewChange) => ask(api.POST('/api/v1/sessions/{id}/changes', { params: { path: { id } }, body })),
    onSuccess: () => {
      tell(texts.asked);
      void queries.invalidateQueries({ queryKey: ['session', id] });
    },
  });
  const begin = async (what: string, title: string, body: React.ReactNode, danger: boolean, more?: () => Partial<NewChange>) => {
    const said = await confirm({ title, body, hits: [who], action: title, danger, reason: true });
    if (said) change.mutate({ change: what, reason: said.reason, ...more?.() });
  };
  const why = over ? texts.over : undefined;
  return (
    <Group gap="xs">
      <Act permission={['sessions:help', 'sessions:change']} icon="replay" why={why} onClick={() => void begin('reauthenticate', texts.reauthenticate, texts.reauthenticateBody, false)}>{texts.reauthenticate}</Act>
      <Act permission="sessions:change" why={why} onClick={() => {
        vlan.current = '';
        void begin('change_vlan', texts.vlan, <>{texts.vlanBody}<TextInput label={texts.vlanField} required mt="xs" onChange={(e) => { vlan.current = e.currentTarget.value; }} /></>, true, () => ({ vlan: /^\d+$/.test(vlan.current) ? Number(vlan.current) : vlan.current }));
      }}>{texts.vlan}</Act>
      <Act permission="sessions:change" why={why} onClick={() => void begin('bounce_port', texts.bounce, texts.bounceBody, true)}>{texts.bounce}</Act>
      <Act permission="sessions:change" icon="cross" color="red" variant="outline" why={why} onClick={() => void begin('disconnect', texts.disconnect, texts.disconnectBody, true)}>{texts.disconnect}</Act>
    </Group>
  );
}
