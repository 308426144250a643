/// The rules of a Cedar text, as far as a table shows them. The server alone says what they mean; here they are only cut apart,
/// whether or not they are sound.
export interface Rule {
  id: string;
  order: string;
  profile: string;
  effect: 'permit' | 'forbid';
  principal: string;
  resource: string;
  /// What must be so besides, without `when`; that of `unless` is negated in words.
  conditions: string[];
  /// Where it begins and ends in the text, comments directly above it included.
  from: number;
  to: number;
  /// The line on which it begins, from 1.
  line: number;
}

interface Cursor {
  text: string;
  at: number;
}

/// Past spaces and comments.
function skip(c: Cursor): void {
  for (;;) {
    const rest = c.text.slice(c.at);
    const space = /^\s+/.exec(rest)?.[0].length ?? 0;
    const comment = /^\/\/[^\n]*/.exec(rest.slice(space))?.[0].length ?? 0;
    c.at += space + comment;
    if (space + comment === 0) return;
  }
}

/// The text between two brackets of a kind, strings in it untouched; undefined if they are not closed.
function between(c: Cursor, open: string, close: string): string | undefined {
  if (c.text[c.at] !== open) return undefined;
  const begin = c.at + 1;
  let depth = 0;
  for (let n = c.at; n < c.text.length; n += 1) {
    const char = c.text[n];
    if (char === '"') {
      for (n += 1; n < c.text.length && c.text[n] !== '"'; n += 1) if (c.text[n] === '\\') n += 1;
    } else if (char === '/' && c.text[n + 1] === '/') {
      while (n < c.text.length && c.text[n] !== '\n') n += 1;
    } else if (char === open) depth += 1;
    else if (char === close) {
      depth -= 1;
      if (depth === 0) {
        c.at = n + 1;
        return c.text.slice(begin, n);
      }
    }
  }
  return undefined;
}

function word(c: Cursor): string {
  const found = /^[A-Za-z_]\w*/.exec(c.text.slice(c.at))?.[0] ?? '';
  c.at += found.length;
  return found;
}

/// Cut at commas outside brackets and strings.
function parts(scope: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let n = 0; n < scope.length; n += 1) {
    const char = scope[n];
    if (char === '"') {
      for (n += 1; n < scope.length && scope[n] !== '"'; n += 1) if (scope[n] === '\\') n += 1;
    } else if (char === '[' || char === '(' || char === '{') depth += 1;
    else if (char === ']' || char === ')' || char === '}') depth -= 1;
    else if (char === ',' && depth === 0) {
      found.push(scope.slice(begin, n));
      begin = n + 1;
    }
  }
  found.push(scope.slice(begin));
  return found.map((part) => part.trim()).filter(Boolean);
}

const tidy = (text: string) => text.replaceAll(/\/\/[^\n]*/g, '').replaceAll(/\s+/g, ' ').trim();

/// One rule from here on; undefined where there is none that can be read.
function rule(c: Cursor): Rule | undefined {
  skip(c);
  const begin = c.at;
  const notes = new Map<string, string>();
  while (c.text[c.at] === '@') {
    c.at += 1;
    const name = word(c);
    skip(c);
    const value = between(c, '(', ')');
    if (!name || value === undefined) return undefined;
    notes.set(name, value.trim().replace(/^"|"$/g, ''));
    skip(c);
  }
  const effect = word(c);
  if (effect !== 'permit' && effect !== 'forbid') return undefined;
  skip(c);
  const scope = between(c, '(', ')');
  if (scope === undefined) return undefined;
  const conditions: string[] = [];
  for (;;) {
    skip(c);
    const kind = word(c);
    if (!kind) break;
    skip(c);
    const body = between(c, '{', '}');
    if (body === undefined || (kind !== 'when' && kind !== 'unless')) return undefined;
    conditions.push(kind === 'when' ? tidy(body) : `not: ${tidy(body)}`);
  }
  if (c.text[c.at] !== ';') return undefined;
  c.at += 1;
  const of = (name: string) => tidy(parts(scope).find((part) => part.startsWith(name))?.slice(name.length) ?? '');
  return {
    id: notes.get('id') ?? '',
    order: notes.get('order') ?? '',
    profile: notes.get('profile') ?? '',
    effect,
    principal: of('principal'),
    resource: of('resource'),
    conditions,
    from: begin,
    to: c.at,
    line: c.text.slice(0, begin).split('\n').length,
  };
}

/// The rules of a text in their order; undefined where it cannot be read.
export function rulesOf(text: string): Rule[] | undefined {
  const c: Cursor = { text, at: 0 };
  const found: Rule[] = [];
  for (;;) {
    skip(c);
    if (c.at >= text.length) break;
    const one = rule(c);
    if (!one) return undefined;
    found.push(one);
  }
  return found.sort((a, b) => Number(a.order || 0) - Number(b.order || 0));
}

/// Such as `printers` for `in Group::"printers"`, `Agent in agents`.
export const scopeText = (scope: string): string => scope
  .replaceAll(/\b(?:Group|Site|NasGroup|Nas|User|Device|Machine|Agent|Service|Model)::"((?:[^"\\]|\\.)*)"/g, '$1')
  .replace(/^(?:in|==|is)\s+/, '');

/// A text without one of its rules.
export const without = (text: string, { from, to }: Rule): string =>
  `${text.slice(0, from).trimEnd()}\n\n${text.slice(to).trimStart()}`.trim() + '\n';

export interface NewRule {
  id: string;
  order: number;
  profile: string;
  kind: string;
  group: string;
  site: string;
  method: string;
}

/// A text as Cedar writes it.
const quoted = (text: string) => JSON.stringify(text);

/// A new rule as Cedar text.
export function written({ id, order, profile, kind, group, site, method }: NewRule): string {
  const principal = ['principal', kind && `is ${kind}`, group && `in Group::${quoted(group)}`].filter(Boolean).join(' ');
  const resource = site ? `resource in Site::${quoted(site)}` : 'resource';
  const when = method ? `\nwhen { context.method == ${quoted(method)} }` : '';
  return `@id(${quoted(id)})\n@order("${order}")\n@profile(${quoted(profile)})\npermit (${principal}, action == Network::Action::"connect", ${resource})${when};\n`;
}
