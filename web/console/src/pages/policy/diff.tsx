/// Who would get what else by the draft, before it is in force.
import { Button, NativeSelect, Text } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { policy as texts } from '../../texts/policy';
import { Empty } from '../../ui/empty';
import { To } from '../../ui/link';
import { ProblemAlert } from '../../ui/problem';
import { layout } from './flow';

const DAYS = [1, 7, 30, 90];
/// Names that are shown before all are wanted.
const FEW = 12;

export type Difference = Schemas['Difference'];

export const diffOf = (text: string, days: number) => ({
  queryKey: ['policy', 'diff', days, text],
  queryFn: () => ask(api.POST('/api/v1/policy/diff', { body: { text, days } })),
  staleTime: 30_000,
});

const said = (profile: string) => (profile === 'denied' ? texts.denied : profile);

function Drawn({ flows }: { flows: Difference['flows'] }) {
  const { ref, width } = useElementSize();
  const drawn = layout(flows, Math.max(120, width));
  const side = (nodes: typeof drawn.left) => (
    <div className="flows-side" style={{ height: drawn.height }}>{nodes.map((node) => <span key={node.name} style={{ top: node.y + node.height / 2 }}>{said(node.name)}</span>)}</div>
  );
  return (
    <div className="flows" role="img" aria-label={`${texts.flows}: ${flows.map((flow) => texts.activateFlow(said(flow.from), said(flow.to), flow.who_in_all, flow.decisions)).join('; ')}`}>
      {side(drawn.left)}
      <div ref={ref}>
        <svg height={drawn.height} aria-hidden="true">
          {drawn.bands.map((band) => {
            const flow = flows[band.flow];
            return flow && <path key={band.flow} d={band.d} data-to={flow.to} data-from={flow.from}><title>{texts.activateFlow(said(flow.from), said(flow.to), flow.who_in_all, flow.decisions)}</title></path>;
          })}
        </svg>
      </div>
      {side(drawn.right)}
    </div>
  );
}

function Who({ flow }: { flow: Difference['flows'][number] }) {
  const [all, showAll] = useState(false);
  const names = all ? flow.who : flow.who.slice(0, FEW);
  return (
    <section data-testid="flow" aria-label={`${said(flow.from)} ${texts.becomes} ${said(flow.to)}`}>
      <Text size="sm"><b>{said(flow.from)}</b> {texts.becomes} <b>{said(flow.to)}</b>: {texts.whoOf(flow.who_in_all)}, {texts.logins(flow.decisions)}</Text>
      <div className="flow-who">
        {names.map((name) => <To key={name} to="/decisions" search={{ identity: name }}>{name}</To>)}
        {!all && flow.who_in_all > names.length && flow.who.length > names.length && <Button variant="subtle" size="compact-xs" onClick={() => showAll(true)}>{`+${flow.who_in_all - names.length}`}</Button>}
      </div>
    </section>
  );
}

export function Diff({ text, isDraft }: { text: string; isDraft: boolean }) {
  const [days, setDays] = useState(7);
  const query = useQuery({ ...diffOf(text, days), enabled: isDraft });
  if (!isDraft) return <Empty title={texts.noDraft}>{texts.noDraftHint}</Empty>;
  return (
    <div>
      <NativeSelect name="days" label={texts.days} w={210} mb="sm" value={String(days)} onChange={(e) => setDays(Number(e.currentTarget.value))} data={DAYS.map((n) => ({ value: String(n), label: texts.daysOf(n) }))} />
      <ProblemAlert error={query.error} />
      {query.data && (query.data.flows.length === 0
        ? <Empty title={texts.noFlows}>{texts.noFlowsHint(query.data.asked)}</Empty>
        : (
          <>
            <Text size="sm" c="dimmed" mb="sm">{texts.asked(query.data.asked)}</Text>
            <Drawn flows={query.data.flows} />
            <div className="flow-list">{query.data.flows.map((flow) => <Who key={`${flow.from} ${flow.to}`} flow={flow} />)}</div>
          </>
        ))}
    </div>
  );
}
