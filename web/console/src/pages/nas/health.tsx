import type { Schemas } from '../../api/client';
import { nas as texts } from '../../texts/nas';
import { Tag, type Tone } from '../../ui/tag';

/// A device from which nothing came for so long is silent, in milliseconds; the overview says the same.
const SILENT_MS = 15 * 60_000;
const TONES: Record<string, Tone> = { active: 'ok', tls: 'ok', silent: 'warn', never: 'quiet' };

export type Device = Schemas['NasView'];

export function healthOf(device: Device, now: number): string {
  if (device.radsec && device.radsec.connections.length > 0) return 'tls';
  if (!device.last_at) return 'never';
  return now - new Date(device.last_at).getTime() < SILENT_MS ? 'active' : 'silent';
}

export const Health = ({ of, now }: { of: Device; now: number }) => {
  const health = healthOf(of, now);
  return <Tag tone={TONES[health] ?? 'quiet'}>{texts.healths[health]}</Tag>;
};

const WORST = ['never', 'sometimes', 'always'] as const;

/// Whether its requests carry Message-Authenticator: the worst of its addresses; undefined while nothing came.
export const authenticatorOf = (device: Device): 'never' | 'sometimes' | 'always' | undefined =>
  WORST.find((word) => device.learned.some((one) => one.message_authenticator === word));

export function Authenticator({ of }: { of: Device }) {
  const word = authenticatorOf(of);
  if (!word) return null;
  return <Tag tone={word === 'always' ? 'ok' : 'warn'}>{texts[word]}</Tag>;
}
