import { expect, it } from 'vitest';
import { Problem } from '../../api/client';
import { bookOf, draftOf, faultsOf, fieldOf, lineOf, NEW, read, written, type Book } from './draft';

const BOOK = {
  mode: 'on',
  when: { signals: ['prompt_injection'], severity: 'medium' },
  kinds: ['agent'],
  attributes: { tier: '1' },
  steps: [{ do: 'quarantine', profile: 'quarantine' }, { do: 'notify', to: ['ben@example.com'] }, { do: 'case', title: 'Prompt injection' }, { do: 'webhook' }],
  release: 'recovered',
  release_below: 'medium',
  max_runs: 20,
} as unknown as Book;

it('a playbook goes through the form and is the same', () => {
  expect(bookOf(draftOf(BOOK))).toEqual(BOOK);
  for (const when of [{ risk: 'medium' }, { posture: 'non_compliant' }, { checks: ['edr'] }]) expect(bookOf(draftOf({ ...BOOK, when })).when).toEqual(when);
});

it('what is not said is left out, and a new one does nothing yet', () => {
  expect(bookOf({ ...NEW, signals: ['malware'] })).toEqual({ mode: 'dry_run', when: { signals: ['malware'] }, steps: [{ do: 'quarantine', profile: 'quarantine' }, { do: 'case' }], release: 'recovered' });
});

it('a text is read as it was written, and where it is wrong is told', () => {
  expect(read(written(BOOK))).toEqual({ book: BOOK });
  expect(read('{\n  "when": {}\n  "steps": []\n}')).toMatchObject({ line: 3 });
  expect(read('[]')).toMatchObject({ line: 1 });
  expect(lineOf(written(BOOK), 'steps')).toBeGreaterThan(lineOf(written(BOOK), 'when'));
});

it('what the server says stands at the field that it is about', () => {
  expect(fieldOf('max_runs is 0')).toBe('max_runs');
  expect(fieldOf('no [[profile]] is called "quarantine"')).toBe('steps');
  expect(fieldOf('it is not said what sets it off, or more than one thing is')).toBe('when');
  const { at, rest } = faultsOf(new Problem(422, 'invalid_inventory', '', '', undefined, [
    { at: 'the request, line 3', message: 'max_percent is 0', remedy: 'give 1 to 100' },
    { at: 'the request', message: 'something else', remedy: 'see' },
  ]));
  expect(at).toEqual({ max_percent: 'max_percent is 0: give 1 to 100' });
  expect(rest).toHaveLength(1);
});
