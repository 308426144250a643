/// Tables of identities, as CSV (RFC 4180; semicolons and tabs part fields too, as spreadsheets write them).
import type { Schemas } from '../../api/client';
import { importing as texts } from '../../texts/identities';

/// The most lines of one table: what one request takes.
export const MOST = 10_000;
const CREDENTIALS = ['mac', 'san_dns', 'san_uri', 'san_email', 'san_upn', 'common_name', 'fingerprint'];
const PLAIN = ['kind', 'name', 'owner', 'purpose', 'environment', 'expires', 'status'];
const COLUMNS = [...PLAIN, 'groups', 'autonomy', ...CREDENTIALS];

export interface Wrong {
  line: number;
  what: string;
}

export interface Read {
  identities: Schemas['NewIdentity'][];
  wrong: Wrong[];
}

/// Fields of each record with the line that it begins at.
function records(text: string, separator: string): { line: number; fields: string[]; unclosed: boolean }[] {
  const all: { line: number; fields: string[]; unclosed: boolean }[] = [];
  let line = 1;
  let begin = 1;
  let fields: string[] = [];
  let field = '';
  let quoted = false;
  const end = (unclosed: boolean) => {
    fields.push(field);
    if (fields.some((one) => one.trim() !== '')) all.push({ line: begin, fields, unclosed });
    fields = [];
    field = '';
    begin = line;
  };
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === '\n') line += 1;
    if (quoted) {
      if (c === '"' && text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else if (c === '"') quoted = false;
      else field += c;
    } else if (c === '"' && field.trim() === '') {
      quoted = true;
      field = '';
    } else if (c === separator) {
      fields.push(field);
      field = '';
    } else if (c === '\n') end(false);
    else if (c !== '\r') field += c;
  }
  end(quoted);
  return all;
}

/// What a table says, and what of it cannot be read.
export function read(given: string): Read {
  const text = given.replace(/^\uFEFF/, '');
  const first = text.slice(0, Math.max(text.indexOf('\n'), 0) || text.length);
  const separator = [',', ';', '\t'].reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best), ',');
  const [head, ...rest] = records(text, separator);
  const names = head?.fields.map((name) => name.trim().toLowerCase()) ?? [];
  const wrong: Wrong[] = [];
  if (!names.includes('kind') || !names.includes('name')) return { identities: [], wrong: [{ line: 1, what: texts.noHeader }] };
  for (const name of names) if (!COLUMNS.includes(name)) wrong.push({ line: 1, what: texts.unknownColumn(name) });
  if (rest.length > MOST) return { identities: [], wrong: [{ line: MOST, what: texts.tooMany(MOST) }] };
  const identities: Schemas['NewIdentity'][] = [];
  for (const { line, fields, unclosed } of rest) {
    const said = Object.fromEntries(names.map((name, n) => [name, fields[n]?.trim() ?? '']));
    if (unclosed) wrong.push({ line, what: texts.unclosed });
    if (fields.length > names.length) wrong.push({ line, what: texts.tooManyFields });
    if (!said.kind) wrong.push({ line, what: texts.noKind });
    if (!said.name) wrong.push({ line, what: texts.noName });
    if (said.autonomy && !/^[0-5]$/.test(said.autonomy)) wrong.push({ line, what: texts.badAutonomy });
    const identity: Record<string, unknown> = {};
    for (const name of PLAIN) if (said[name]) identity[name] = said[name];
    if (said.groups) identity.groups = said.groups.split(/[;|]/).map((group) => group.trim()).filter(Boolean);
    if (said.autonomy) identity.autonomy = Number(said.autonomy);
    const credentials = CREDENTIALS.flatMap((key) => (said[key] ? [{ [key]: said[key] }] : []));
    if (credentials.length > 0) identity.credentials = credentials;
    identities.push(identity as Schemas['NewIdentity']);
  }
  return { identities, wrong };
}
