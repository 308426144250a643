/// The HTTP API: its types are made of the server's own description when the console is built.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.gen';

export type Schemas = components['schemas'];

/// One of several things that are wrong.
export interface Fault {
  at: string | null;
  message: string;
  remedy: string;
}

/// Why the server refused (RFC 9457), or that it could not be asked.
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    detail: string,
    readonly field?: string,
    readonly errors: Fault[] = [],
  ) {
    super(detail);
  }
}

/// What an answer that is no success says.
export function problemOf(status: number, body: unknown): Problem {
  const said = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (key: string, otherwise: string) => (typeof said[key] === 'string' ? said[key] : otherwise);
  const errors = Array.isArray(said.errors) ? (said.errors as Fault[]) : [];
  const field = typeof said.field === 'string' ? said.field : undefined;
  return new Problem(status, text('code', 'unknown'), text('title', `HTTP ${status}`), text('detail', `the server answered ${status}`), field, errors);
}

/// Where one signs in, to come back to where one is.
export function signIn(): void {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?then=${encodeURIComponent(here)}`);
}

/// Every request says that it comes from the console's own page, without which a cookie changes nothing.
const CSRF = 'X-Cordon-CSRF';

export const api = createClient<paths>({ baseUrl: '/', headers: { [CSRF]: '1' }, querySerializer: { array: { style: 'form', explode: false } } });

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/// What was asked for, or a `Problem`. Who is signed in no more is sent to sign in, and comes back.
export async function ask<T>(asked: Promise<Answered<T>>): Promise<T> {
  let answer: Answered<T>;
  try {
    answer = await asked;
  } catch {
    throw new Problem(0, 'unreachable', 'No answer', 'the server does not answer: is it running, and is the network there?');
  }
  if (answer.response.ok) return answer.data as T;
  if (answer.response.status === 401) {
    signIn();
    // The page is about to go: nothing more is shown on it.
    return new Promise(() => undefined);
  }
  throw problemOf(answer.response.status, answer.error);
}
