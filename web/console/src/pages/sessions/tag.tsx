import { sessions } from '../../texts/sessions';
import { Tag, type Tone } from '../../ui/tag';

const TONES: Record<string, Tone> = { authenticated: 'info', started: 'ok', active: 'ok', stopped: 'quiet', inferred: 'warn' };

export function SessionTag({ of }: { of: string }) {
  return <Tag tone={TONES[of] ?? 'quiet'}>{sessions.state[of] ?? of}</Tag>;
}

/// Whether a session in this state goes on.
export const goesOn = (state: string): boolean => state === 'authenticated' || state === 'started' || state === 'active';
