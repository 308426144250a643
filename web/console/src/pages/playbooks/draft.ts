/// A playbook as a form has it, and as the API takes it.
import type { Fault, Problem, Schemas } from '../../api/client';

export type Book = Schemas['Playbook'];

export const STEPS = ['quarantine', 'disconnect', 'suspend', 'revoke', 'webhook', 'notify', 'case'] as const;
export const TRIGGERS = ['signals', 'risk', 'posture', 'checks'] as const;

export interface Step {
  do: string;
  profile: string;
  to: string[];
  title: string;
}

export interface Draft {
  description: string;
  mode: string;
  trigger: string;
  signals: string[];
  severity: string;
  risk: string;
  checks: string[];
  kinds: string[];
  groups: string[];
  /// Each such as `tier=1`.
  attributes: string[];
  sites: string[];
  steps: Step[];
  release: string;
  releaseBelow: string;
  /// Numbers as they are typed; empty is not said.
  releaseAfter: string | number;
  maxRuns: string | number;
  maxPercent: string | number;
  window: string | number;
}

export const step = (what: string): Step => ({ do: what, profile: what === 'quarantine' ? 'quarantine' : '', to: [], title: '' });

/// What a new one begins as: it does nothing before it was looked at.
export const NEW: Draft = {
  description: '', mode: 'dry_run', trigger: 'signals', signals: [], severity: '', risk: 'high', checks: [], kinds: [], groups: [], attributes: [], sites: [],
  steps: [step('quarantine'), step('case')], release: 'recovered', releaseBelow: '', releaseAfter: '', maxRuns: '', maxPercent: '', window: '',
};

const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value));

export function draftOf(book: Book): Draft {
  const when = (book.when ?? {}) as Record<string, unknown>;
  return {
    description: text(book.description),
    mode: book.mode ?? 'on',
    trigger: TRIGGERS.find((one) => when[one] !== undefined) ?? 'signals',
    signals: list(when.signals),
    severity: text(when.severity),
    risk: text(when.risk) || 'high',
    checks: list(when.checks),
    kinds: book.kinds ?? [],
    groups: book.groups ?? [],
    attributes: Object.entries(book.attributes ?? {}).map(([key, value]) => `${key}=${value}`),
    sites: book.sites ?? [],
    steps: (book.steps as Record<string, unknown>[]).map((one) => ({ do: text(one.do), profile: text(one.profile), to: list(one.to), title: text(one.title) })),
    release: book.release ?? 'recovered',
    releaseBelow: text(book.release_below),
    releaseAfter: book.release_after_secs ?? '',
    maxRuns: book.max_runs ?? '',
    maxPercent: book.max_percent ?? '',
    window: book.window_secs ?? '',
  };
}

/// What is not said is left out, so that the text is as short as one would write it.
const said = <T extends object>(of: T): T => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== '' && value !== undefined && !(Array.isArray(value) && value.length === 0))) as T;
const number = (typed: string | number): number | undefined => (typed === '' ? undefined : Number(typed));

export function bookOf(draft: Draft): Book {
  const when = {
    signals: said({ signals: draft.signals, severity: draft.severity }),
    risk: { risk: draft.risk },
    posture: { posture: 'non_compliant' },
    checks: { checks: draft.checks },
  }[draft.trigger];
  const attributes = Object.fromEntries(draft.attributes.map((one) => { const [key = '', ...value] = one.split('='); return [key.trim(), value.join('=').trim()]; }));
  return said({
    description: draft.description.trim(),
    mode: draft.mode,
    when,
    kinds: draft.kinds,
    groups: draft.groups,
    attributes: draft.attributes.length > 0 ? attributes : undefined,
    sites: draft.sites,
    steps: draft.steps.map((one) => said({ do: one.do, profile: one.do === 'quarantine' ? one.profile : '', to: one.do === 'notify' ? one.to : [], title: one.do === 'case' ? one.title.trim() : '' })),
    release: draft.release,
    release_below: draft.releaseBelow,
    release_after_secs: number(draft.releaseAfter),
    max_runs: number(draft.maxRuns),
    max_percent: number(draft.maxPercent),
    window_secs: number(draft.window),
  }) as Book;
}

/// A value on one line.
const inline = (value: unknown): string => JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ');

/// As what one reads and writes: each key has a line, and each step.
export function written(book: Book): string {
  const value = (of: unknown) => (Array.isArray(of) && of.some((one) => typeof one === 'object') ? `[\n${of.map((one) => `    ${inline(one)}`).join(',\n')}\n  ]` : inline(of));
  return `{\n${Object.entries(book).map(([key, of]) => `  "${key}": ${value(of)}`).join(',\n')}\n}\n`;
}

/// A text as a playbook, or what is wrong with it and in which line, from 1.
export function read(typed: string): { book: Book } | { message: string; line: number } {
  try {
    const value: unknown = JSON.parse(typed);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { message: 'It begins with {', line: 1 };
    return { book: value as Book };
  } catch (error) {
    const message = String((error as Error).message);
    const at = Number(/position (\d+)/.exec(message)?.[1] ?? typed.length);
    return { message, line: Number(/line (\d+)/.exec(message)?.[1] ?? typed.slice(0, at).split('\n').length) };
  }
}

export const FIELDS = ['name', 'when', 'signals', 'severity', 'risk', 'posture', 'checks', 'kinds', 'steps', 'release', 'release_below', 'release_after_secs', 'max_runs', 'max_percent', 'window_secs', 'mode', 'groups', 'attributes', 'sites', 'description'] as const;
export type Field = (typeof FIELDS)[number];

/// Words of the server's messages, and the fields that they are about, where none is named.
const ABOUT: [RegExp, Field][] = [
  [/\[\[profile\]\]|steps|email address|are to be told|variant|field `do`/, 'steps'],
  [/is called|^two playbooks/, 'name'],
  [/sets it off|signals/, 'when'],
  [/no signal|unknown signal/, 'signals'],
  [/is no check/, 'checks'],
  [/everybody's risk/, 'risk'],
  [/kind/, 'kinds'],
];

/// The field that a fault is about.
export function fieldOf(message: string): Field | undefined {
  const first = /^(\w+) is /.exec(message)?.[1] ?? /field `(\w+)`/.exec(message)?.[1] ?? /in `(\w+)`/.exec(message)?.[1];
  return FIELDS.find((field) => field === first) ?? ABOUT.find(([words]) => words.test(message))?.[1];
}

export type Faults = Partial<Record<Field, string>>;

/// What the server found, at the fields that it is about; the rest is told below.
export function faultsOf(problem: Problem | null): { at: Faults; rest: Fault[] } {
  const at: Faults = {};
  const rest: Fault[] = [];
  const all = problem?.errors.length ? problem.errors : problem ? [{ at: null, message: problem.message, remedy: '' }] : [];
  for (const fault of all) {
    const field = fieldOf(fault.message);
    if (field) at[field] = [at[field], `${fault.message}${fault.remedy ? `: ${fault.remedy}` : ''}`].filter(Boolean).join('. ');
    else rest.push(fault);
  }
  return { at, rest };
}

/// The line of a text that names a field, from 1.
export const lineOf = (typed: string, field: string): number => Math.max(1, typed.split('\n').findIndex((line) => line.includes(`"${field}"`)) + 1);
