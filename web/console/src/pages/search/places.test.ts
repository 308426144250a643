import { expect, it } from 'vitest';
import { placeOf, placeOfApi } from './places';

it('what is found is led to, whatever is in its name', () => {
  const hit = { id: 'a/b?c', title: '', detail: '', href: '' };
  expect(placeOf({ ...hit, kind: 'nas' })).toBe('/nas/a%2Fb%3Fc');
  expect(placeOf({ ...hit, kind: 'session', id: '1' })).toBe('/sessions/1');
});

it('operations of the API have their pages', () => {
  const pages = ['/api/v1/decisions?outcome=reject', 'GET /api/v1/sessions?live=true', '/api/v1/ca/certificates?serial=ab', '/api/v1/policy/schema', '/api/v1/nas/sw-1'].map(placeOfApi);
  expect(pages).toEqual(['/decisions?outcome=reject', '/sessions?live=true', '/certificates?serial=ab', '/policy', '/nas/sw-1']);
});
