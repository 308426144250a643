import { describe, expect, it } from 'vitest';
import { course, microseconds, type Whole } from './course';

const fact = (name: string, value: unknown) => ({ name, value, source: 'test', at: '2026-03-01T12:00:00Z' });
const decision = (more: Partial<Whole>): Whole => ({ course: [], rounds: 3, duration_us: 2_500, facts: [], policies: [], warnings: [], reply: [], method: 'eap-tls', outcome: 'accept', profile: 'corp', identity: null, outer_identity: null, mac: null, ...more }) as Whole;

describe('the story of a decision', () => {
  it('tells handshake, certificate, identity and rule in their order', () => {
    const told = course(decision({
      outer_identity: 'anonymous',
      identity: { id: '1', kind: 'device', name: 'laptop' },
      policies: ['laptops'],
      facts: [fact('tls.version', '1.3'), fact('tls.cipher_suite', 'X'), fact('certificate.subject', 'CN=laptop'), fact('certificate.issuer', 'CN=CA'), fact('certificate.not_after', '2027-01-01T00:00:00Z')],
    } as Partial<Whole>));
    const at = (text: string) => told.findIndex((step) => step.title.includes(text));
    const places = ['asked', 'anonymous', 'TLS 1.3', 'CN=laptop', 'Recognised as laptop', 'profile corp', '2.5 ms'].map(at);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it('a handshake that failed is not told as one that did not', () => {
    const told = course(decision({ outcome: 'reject', profile: null, cause: 'The certificate has expired.', facts: [fact('certificate.subject', 'CN=old')] }));
    expect(told.some((step) => step.title.includes('No TLS'))).toBe(true);
    expect(told.some((step) => step.title.includes('proved'))).toBe(false);
  });

  it('fragments and retransmissions are counted', () => {
    const turn = (carried: string) => ({ carried, octets: 9 });
    const course_ = [{ after_us: 0, received: turn('identity'), sent: turn('start'), repeated: 0 }, { after_us: 5, received: turn('fragment'), sent: turn('acknowledgement'), repeated: 2 }];
    const [first] = course(decision({ course: course_ } as Partial<Whole>));
    expect(first?.hint).toBe('3 requests of the network device, without retransmissions; 1 fragment; the network device sent 2 requests again');
  });

  it('times are short', () => {
    expect([12, 3_589, 1_500_000, 90_000_000].map(microseconds)).toEqual(['12 µs', '3.6 ms', '1.5 s', '1 min 30 s']);
  });
});
