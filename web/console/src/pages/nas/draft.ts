/// A network device as a form has it, and as the API takes it.
import type { NasObject } from '../../api/objects';

export interface Draft {
  name: string;
  address: string;
  secret: string;
  vendor: string;
  site: string;
  mode: string;
  /// How it asks: `udp`, `tls` or `both`.
  transport: string;
  /// By which name of its certificate it is known: `san_dns`, `san_ip` or `issuer`.
  knownBy: string;
  certificate: string;
  serial: string;
  /// Whether it takes changes: as its kind of gear says, not at all (`none`), or `at` another place.
  coa: string;
  coaPort: string | number;
  coaAddress: string;
  coaSecret: string;
}

/// What is typed as addresses: one, or a list of them.
function addresses(text: string): unknown {
  const all = text.split(/[\s,]+/).filter(Boolean);
  return all.length > 1 ? all : all[0] ?? null;
}

const orNull = (text: string): string | null => text.trim() || null;

/// What is null goes, as a merge patch has it; a secret that is not typed stays as it is.
export function bodyOf(draft: Draft): Record<string, unknown> {
  const by = (key: string) => (draft.knownBy === key ? orNull(draft.certificate) : null);
  const radsec = { san_dns: by('san_dns'), san_ip: by('san_ip'), issuer: by('issuer'), serial: draft.knownBy === 'issuer' ? orNull(draft.serial) : null };
  const at = { port: draft.coaPort === '' ? null : Number(draft.coaPort), address: orNull(draft.coaAddress), ...(draft.coaSecret ? { secret: draft.coaSecret } : {}) };
  return {
    address: addresses(draft.address),
    ...(draft.transport !== 'tls' && draft.secret ? { secret: draft.secret } : {}),
    vendor: draft.vendor,
    site: orNull(draft.site),
    mode: draft.mode,
    radsec: draft.transport === 'udp' ? null : radsec,
    coa: draft.coa === 'none' ? false : draft.coa === 'at' ? at : null,
  };
}

const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

export function draftOf(it: NasObject): Draft {
  const radsec = it.radsec as Record<string, string> | null | undefined;
  const coa = it.coa as false | Record<string, unknown> | null | undefined;
  const knownBy = radsec ? ['san_dns', 'san_ip', 'issuer'].find((key) => radsec[key]) ?? 'san_dns' : 'san_dns';
  const at = coa && typeof coa === 'object' ? coa : {};
  return {
    name: it.name,
    address: Array.isArray(it.address) ? it.address.join(', ') : text(it.address),
    secret: '',
    vendor: it.vendor ?? 'standard',
    site: it.site ?? '',
    mode: it.mode ?? 'enforce',
    transport: radsec ? (it.has_secret ? 'both' : 'tls') : 'udp',
    knownBy,
    certificate: text(radsec?.[knownBy]),
    serial: text(radsec?.serial),
    coa: coa === false ? 'none' : coa && typeof coa === 'object' ? 'at' : '',
    coaPort: typeof at.port === 'number' ? at.port : '',
    coaAddress: text(at.address),
    coaSecret: '',
  };
}
