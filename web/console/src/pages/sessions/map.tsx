import { Group, Text, Tooltip } from '@mantine/core';
import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { map as texts, sessions as words } from '../../texts/sessions';
import { Empty } from '../../ui/empty';
import { Filters, wanted, type Filter } from '../../ui/filters';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { ProblemAlert } from '../../ui/problem';
import { FILTERS, whose, type Session } from './list';
import { bySite } from './ports';
import './map.css';

/// The most sessions that are drawn, and how many are asked for at a time.
const MOST = 2_000;
const PAGE = 500;
const REFRESH_MS = 15_000;

const MAP_FILTERS: Filter[] = FILTERS.filter((filter) => ['site', 'nas', 'profile', 'identity'].includes(filter.key));
/// Profiles take these tones in turn, in the order of their names.
const TONES = 6;

async function sessionsOf(query: Record<string, string | undefined>): Promise<{ all: Session[]; cut: boolean }> {
  const all: Session[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(api.GET('/api/v1/sessions', { params: { query: { ...query, live: true, limit: PAGE, cursor } as never } }));
    all.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor && all.length < MOST);
  return { all, cut: cursor !== undefined };
}

export default function Map() {
  const [params] = useParameters();
  const query = useMemo(() => wanted(params, MAP_FILTERS), [params]);
  const nas = useQuery({ queryKey: ['nas', 'all'], queryFn: () => ask(api.GET('/api/v1/nas', { params: { query: { limit: 500 } } })) });
  const { data, error } = useSuspenseQuery({ queryKey: ['sessions', 'map', query], queryFn: () => sessionsOf(query), refetchInterval: REFRESH_MS });
  const sites = new globalThis.Map(nas.data?.items.map((one) => [one.name, one.site]));
  const placed = data.all.map((session) => ({ session, id: session.id, site: sites.get(session.nas.name) ?? null, nas: session.nas.name, port: session.nas.port }));
  const profiles = [...new Set(data.all.map((session) => session.profile ?? ''))].sort();
  const tone = (profile: string | null) => profiles.indexOf(profile ?? '') % TONES;
  return (
    <PageFrame title={texts.title} hint={<>{texts.hint} <To to="/sessions" search={{ live: 'true' }}>{texts.back}</To></>}>
      <Filters of={MAP_FILTERS} />
      <ProblemAlert error={error} />
      {data.cut && <Text size="sm" mb="sm">{texts.more}</Text>}
      {placed.length === 0 && <Empty title={texts.empty}>{words.emptyHint}</Empty>}
      {placed.length > 0 && <Group gap="md" mb="sm">{profiles.map((profile) => <span key={profile} className="map-key" data-tone={tone(profile)}>{profile || words.profile}</span>)}</Group>}
      <div className="map">
        {bySite(placed).map((site) => (
          <Panel key={site.site ?? ''} title={site.site ?? texts.noSite} actions={<Text size="xs" c="dimmed">{texts.count(site.count)}</Text>}>
            {site.devices.map((device) => (
              <div key={device.nas} className="map-device">
                <To to={`/nas/${encodeURIComponent(device.nas)}`} fw={600}>{device.nas}</To>
                <div className="map-ports">
                  {device.sessions.map(({ session }) => (
                    <Tooltip key={session.id} label={`${whose(session)}, ${session.nas.port ?? texts.noPort}, ${session.profile ?? ''}`}>
                      <Link to={`/sessions/${session.id}` as never} className="map-port" data-tone={tone(session.profile)}>
                        <span className="map-name">{whose(session)}</span>
                        <span className="map-where">{session.nas.port ?? texts.noPort}</span>
                      </Link>
                    </Tooltip>
                  ))}
                </div>
              </div>
            ))}
          </Panel>
        ))}
      </div>
    </PageFrame>
  );
}
