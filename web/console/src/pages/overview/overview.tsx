import { Button, Group, SegmentedControl, Text } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { useMe } from '../../api/me';
import { identities } from '../../texts/identities';
import { overview as texts } from '../../texts/overview';
import { start } from '../../texts/start';
import { Bars, COLORS, Stacked } from '../../ui/chart';
import { PageFrame } from '../../ui/heading';
import { To } from '../../ui/link';
import { Panel } from '../../ui/panel';
import { Tag, type Tone } from '../../ui/tag';
import { Prose, span, Time, useClock, written } from '../../ui/time';
import { RiskTag } from '../identities/tag';
import { placeOfApi } from '../search/places';
import './overview.css';

type Whole = Schemas['Overview'];

/// How often it is asked for again, in milliseconds.
const REFRESH_MS = 2_000;
/// Times that are told with a tenth of a second.
const SHORT_SECS = 10;
/// Rows of a panel; pages of their own have all.
const SHOWN = 6;

function Logins({ of }: { of: Whole }) {
  const { zone } = useClock();
  const series = (['accept', 'reject', 'incomplete'] as const).map((key) => ({
    name: texts[key],
    color: { accept: COLORS.ok, reject: COLORS.bad, incomplete: COLORS.warn }[key],
    values: of.minutes.map((minute) => minute[key]),
  }));
  return (
    <Panel title={texts.logins} actions={<To to="/decisions">{texts.allLogins}</To>}>
      <Stacked label={`${texts.logins}, ${texts.perMinute}`} series={series} ends={[texts.anHourAgo, texts.now]} names={of.minutes.map((minute) => written(minute.begin, zone, false))} />
      <div className="counts">
        {(['accept', 'reject', 'incomplete'] as const).map((key) => (
          <Link key={key} to={'/decisions' as never} search={{ outcome: key } as never} className="count">
            <b data-testid={`hour-${key}`}>{of.hour[key].toLocaleString('en')}</b> <span>{texts[key]}, {texts.hour}</span>
            <small>{of.day[key].toLocaleString('en')} {texts.day}</small>
          </Link>
        ))}
      </div>
      <Text size="xs" c="dimmed" mt="xs">{texts.counted(`${written(of.counted_since, zone, false)} (${zone})`)}</Text>
    </Panel>
  );
}

function On({ of: { sessions } }: { of: Whole }) {
  const bars = (counts: Record<string, number>, name: (key: string) => React.ReactNode) =>
    Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, SHOWN).map(([key, value]) => ({ key, value, name: name(key) }));
  return (
    <Panel title={texts.on} actions={<Text fw={600} data-testid="sessions">{sessions.total.toLocaleString('en')}</Text>}>
      {sessions.total === 0 ? <Text size="sm" c="dimmed">{texts.nobody}</Text> : (
        <div className="stack">
          <Bars label={texts.byKind} of={bars(sessions.kinds, (kind) => (kind === 'unknown' ? texts.unknownKind : identities.kinds[kind] ?? kind))} />
          <Bars label={texts.bySite} of={bars(sessions.sites, (site) => (site ? <To to="/sessions" search={{ site, live: 'true' }}>{site}</To> : texts.noSite))} />
          {sessions.unproven > 0 && <Text size="xs" c="dimmed">{texts.unproven(sessions.unproven)}</Text>}
        </div>
      )}
    </Panel>
  );
}

function Failures({ of }: { of: Whole }) {
  const [when, setWhen] = useState<'hour' | 'day'>('hour');
  const reasons = when === 'hour' ? of.reasons_hour : of.reasons_day;
  return (
    <Panel title={texts.failures} actions={<SegmentedControl aria-label={texts.failures} value={when} onChange={(value) => setWhen(value as 'hour' | 'day')} data={[{ value: 'hour', label: texts.hour }, { value: 'day', label: texts.day }]} />}>
      {reasons.length === 0 && <Text size="sm" c="dimmed">{texts.noFailures}</Text>}
      <ol className="reasons">
        {reasons.slice(0, SHOWN).map((reason) => (
          <li key={reason.reason}>
            <span className="reasons-count">{reason.count.toLocaleString('en')}</span>
            <div>
              <To to="/decisions" search={{ reason: reason.reason }}>{reason.cause}</To>
              <Text size="xs" c="dimmed">{reason.remedy}</Text>
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Ending({ of }: { of: Whole }) {
  return (
    <Panel title={texts.ending} actions={<To to="/certificates">{texts.calendar}</To>}>
      {of.ending.length === 0 && <Text size="sm" c="dimmed">{texts.noneEnding}</Text>}
      <ul className="plain">
        {of.ending.slice(0, SHOWN).map((item) => (
          <li key={`${item.kind} ${item.name} ${item.ends_at}`}>
            <Group justify="space-between" gap="xs" wrap="nowrap"><Text size="sm" className="clip" title={item.name}>{item.name}</Text><Tag tone={item.over ? 'bad' : 'warn'}>{item.over ? texts.ended : <Time at={item.ends_at} />}</Tag></Group>
            <Text size="xs" c="dimmed">{item.takes_down}</Text>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const TROUBLE: Record<string, Tone> = { wrong_secret: 'bad', dropped: 'bad', silent: 'warn', never_seen: 'quiet', no_message_authenticator: 'warn' };

function Devices({ of: { nas } }: { of: Whole }) {
  return (
    <Panel title={texts.nas} actions={<Text size="xs" c="dimmed">{texts.nasActive(nas.active, nas.total)}</Text>}>
      {nas.total === 0 && <Group gap="sm"><Text size="sm">{texts.noNas}</Text><Button renderRoot={(props: object) => <Link {...props} to={'/nas' as never} />}>{texts.addNas}</Button></Group>}
      {nas.total > 0 && nas.troubled.length === 0 && <Text size="sm" c="dimmed">{texts.nasWell}</Text>}
      <ul className="plain">
        {nas.troubled.slice(0, SHOWN).map((one) => (
          <li key={one.name}>
            <Group gap="sm"><To to={`/nas/${encodeURIComponent(one.name)}`}>{one.name}</To><Tag tone={TROUBLE[one.trouble] ?? 'warn'}>{texts.trouble[one.trouble] ?? one.trouble}</Tag></Group>
            <Text size="xs" c="dimmed">{one.detail} {one.remedy}</Text>
          </li>
        ))}
      </ul>
      {nas.unknown > 0 && <Text size="xs" mt="xs">{texts.nasUnknown(nas.unknown)}</Text>}
    </Panel>
  );
}

function AtRisk({ of: { at_risk: risk } }: { of: Whole }) {
  return (
    <Panel title={texts.risk} actions={<Text size="xs" c="dimmed">{texts.riskCount(risk.high, risk.medium)}</Text>}>
      {risk.worst.length === 0 && <Text size="sm" c="dimmed">{texts.noRisk}</Text>}
      <ul className="plain">
        {risk.worst.slice(0, SHOWN).map((one) => (
          <li key={one.identity ?? one.mac}>
            <Group justify="space-between" gap="xs" wrap="nowrap">
              {one.identity ? <To to={`/identities/${one.identity}`} className="clip">{one.name}</To> : <span className="mono">{one.mac}</span>}
              <RiskTag of={one.level} />
            </Group>
            <Text size="xs" c="dimmed">{one.factors[0]?.detail}</Text>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Principles({ of }: { of: Whole }) {
  const value = (one: Whole['principles'][number]) => {
    if (one.value === null) return texts.noValue;
    if (one.unit === 'seconds') return one.value < SHORT_SECS ? `${one.value.toFixed(1)} s` : span(one.value);
    return one.value.toLocaleString('en', { maximumFractionDigits: 0 });
  };
  return (
    <section aria-label={texts.principles} className="principles span-12">
      {of.principles.map((one) => (
        <Link key={one.principle} to={placeOfApi(one.see) as never} className="principle">
          <span>{texts.principle[one.principle] ?? one.principle}</span>
          <b>{value(one)} <small>{one.value !== null && texts.unit[one.unit]}</small></b>
          <small><Prose>{one.detail}</Prose></small>
        </Link>
      ))}
    </section>
  );
}

export default function Overview() {
  const me = useMe();
  const { data } = useSuspenseQuery({ queryKey: ['overview'], queryFn: () => ask(api.GET('/api/v1/overview')), refetchInterval: REFRESH_MS });
  return (
    <PageFrame title={texts.title} hint={texts.hint}>
      <div className="grid">
        {data.nas.total === 0 && me.may('gear:write') && <Panel className="span-12"><Text size="sm">{start.invitation} <To to="/start" underline="always">{start.title}</To></Text></Panel>}
        <Principles of={data} />
        <div className="stack span-8"><Logins of={data} /><Failures of={data} /><Devices of={data} /></div>
        <div className="stack span-4"><On of={data} /><Ending of={data} /><AtRisk of={data} /></div>
      </div>
    </PageFrame>
  );
}
