import { Alert, NativeSelect, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../../api/client';
import { useParameters } from '../../app/search';
import { certificates as texts } from '../../texts/certificates';
import { Empty } from '../../ui/empty';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { Tag, type Tone } from '../../ui/tag';
import { Time, useClock } from '../../ui/time';
import { NEARNESS, nearness } from './groups';

type Item = Schemas['CalendarItem'];

const TONES: Record<string, Tone> = { over: 'bad', soon: 'bad', month: 'warn', later: 'quiet' };
const DAY_MS = 86_400_000;

/// The page of the console that shows what the API says where to see.
function placeOf(item: Item): string | undefined {
  if (item.kind === 'identity') return item.see?.replace('/api/v1', '');
  return { token: '/tokens', operator_link: '/operators', nas_certificate: `/nas/${encodeURIComponent(item.name)}` }[item.kind];
}

function Entry({ item, tone }: { item: Item; tone: Tone }) {
  const place = placeOf(item);
  return (
    <li className="ending" data-testid="ending" data-kind={item.kind}>
      <span><Tag tone={tone}><Time at={item.ends_at} /></Tag><Text size="xs" c="dimmed" component="div"><Time at={item.ends_at} exact /></Text></span>
      <span className="anywhere"><b>{place ? <To to={place}>{item.name}</To> : item.name}</b><Text size="xs" c="dimmed">{texts.kinds[item.kind] ?? item.kind}</Text></span>
      <span className="anywhere"><Text size="sm" component="div" className="sentence">{item.takes_down}{item.identities !== null && item.identities > 0 && <Text span size="sm" fw={600}> ({texts.identities(item.identities)})</Text>}</Text><Text size="sm" c="dimmed" component="div" className="sentence">{item.remedy}</Text></span>
    </li>
  );
}

export function Calendar() {
  const [params, change] = useParameters();
  const days = params.days && texts.horizons[params.days] ? params.days : '90';
  const { now } = useClock();
  const query = useQuery({
    queryKey: ['calendar', days],
    queryFn: () => ask(api.GET('/api/v1/calendar', { params: { query: { until: new Date(Date.now() + Number(days) * DAY_MS).toISOString() } } })),
    placeholderData: (before) => before,
  });
  const items = query.data?.items ?? [];
  return (
    <div className="stack">
      <NativeSelect name="horizon" label={texts.horizon} w={160} value={days} onChange={(e) => change({ days: e.currentTarget.value })} data={Object.entries(texts.horizons).map(([value, label]) => ({ value, label }))} />
      <ProblemAlert error={query.error} />
      {query.data?.more && <Alert color="yellow">{texts.more}</Alert>}
      {query.data && items.length === 0 && <Empty title={texts.nothing}>{texts.nothingHint}</Empty>}
      {NEARNESS.map((near) => {
        const of = items.filter((item) => nearness(item.ends_at, now) === near);
        return of.length > 0 && (
          <Panel key={near} title={texts.groups[near]}>
            <ul className="plain">{of.map((item) => <Entry key={`${item.kind} ${item.name} ${item.ends_at}`} item={item} tone={TONES[near] ?? 'quiet'} />)}</ul>
          </Panel>
        );
      })}
    </div>
  );
}
