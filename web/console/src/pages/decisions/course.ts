/// The conversation that led to a decision, told from its facts.
import type { Schemas } from '../../api/client';
import { story as texts } from '../../texts/decisions';
import { span } from '../../ui/time';

export type Whole = Schemas['Decision'];

export interface Step {
  title: string;
  hint?: string;
  /// Whether it went as it should.
  tone: 'ok' | 'bad' | 'warn' | 'info';
}

export const factOf = (decision: Whole, name: string): unknown => decision.facts.find((fact) => fact.name === name)?.value;
const textOf = (decision: Whole, name: string): string | undefined => {
  const value = factOf(decision, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/// Such as `3.6 ms`.
export function microseconds(us: number): string {
  if (us < 1_000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1_000).toFixed(1)} ms`;
  return us < 60_000_000 ? `${(us / 1_000_000).toFixed(1)} s` : span(us / 1_000_000);
}

/// What happened, one thing after the other.
export function course(d: Whole): Step[] {
  const again = d.course.reduce((sum, round) => sum + round.repeated, 0);
  const fragments = d.course.filter((round) => round.received.carried === 'fragment' || round.sent?.carried === 'fragment').length;
  const about = [texts.rounds(d.rounds), fragments > 0 && texts.fragments(fragments), again > 0 && texts.retransmitted(again)];
  const steps: Step[] = [{ title: texts.began, hint: about.filter(Boolean).join('; '), tone: again > 0 ? 'warn' : 'info' }];
  if (d.outer_identity) steps.push({ title: texts.claimed(d.outer_identity), hint: texts.claimedHint, tone: 'info' });
  if (d.method === 'mab') steps.push({ title: texts.mab, hint: d.mac ?? undefined, tone: 'info' });
  const version = textOf(d, 'tls.version');
  if (version) {
    const agreed = textOf(d, 'tls.key_exchange');
    const hints = [agreed && texts.keyExchange(agreed), factOf(d, 'tls.resumed') === true && texts.resumed].filter(Boolean);
    steps.push({ title: texts.tls(version, textOf(d, 'tls.cipher_suite') ?? ''), hint: hints.join('. '), tone: 'ok' });
  } else if (d.method === 'eap-tls') {
    steps.push({ title: texts.noTls, tone: 'bad' });
  }
  const subject = textOf(d, 'certificate.subject');
  if (subject && version) {
    steps.push({ title: texts.certificate(subject), hint: texts.certificateHint(textOf(d, 'certificate.issuer') ?? '', (textOf(d, 'certificate.not_after') ?? '').slice(0, 10)), tone: 'ok' });
  }
  if (d.identity) steps.push({ title: texts.recognised(d.identity.name, textOf(d, 'identity.matched_by') ?? ''), tone: 'ok' });
  else if (version || d.method === 'mab') steps.push({ title: texts.unrecognised, tone: 'bad' });
  const rules = d.policies.length > 0 ? texts.byRules(d.policies) : texts.noRule;
  if (d.outcome === 'accept') steps.push({ title: `${texts.decided}: ${d.profile ? texts.granted(d.profile) : d.outcome}`, hint: rules, tone: 'ok' });
  else steps.push({ title: d.outcome === 'reject' ? `${texts.decided}: ${texts.refused}` : texts.gaveUp, hint: d.cause, tone: d.outcome === 'reject' ? 'bad' : 'warn' });
  steps.push({ title: texts.took(microseconds(d.duration_us)), tone: 'info' });
  return steps;
}
