/// What something is, in one word with a colour.
import { decisions } from '../texts/decisions';

export type Tone = 'ok' | 'bad' | 'warn' | 'info' | 'quiet';

export function Tag({ tone, children }: { tone: Tone; children: React.ReactNode }) {
  return <span className="tag" data-tone={tone}>{children}</span>;
}

const OUTCOMES: Record<string, Tone> = { accept: 'ok', reject: 'bad', incomplete: 'warn' };

/// How an attempt to get on the network ended.
export function Outcome({ of }: { of: string }) {
  return <Tag tone={OUTCOMES[of] ?? 'quiet'}>{decisions.outcome[of] ?? of}</Tag>;
}
