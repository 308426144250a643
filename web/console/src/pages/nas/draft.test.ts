import { expect, it } from 'vitest';
import type { NasObject } from '../../api/objects';
import { bodyOf, draftOf } from './draft';

const of = (more: object) => ({ name: 'sw-1', home: 'database', address: '10.0.0.1', vendor: 'cisco-ios', ...more }) as NasObject;

it('a device by UDP keeps the secret that is not typed, and has no certificate', () => {
  const body = bodyOf(draftOf(of({ has_secret: true })));
  expect(body).toEqual({ address: '10.0.0.1', vendor: 'cisco-ios', site: null, mode: 'enforce', radsec: null, coa: null });
  expect(bodyOf({ ...draftOf(of({})), address: '10.0.0.1, 10.0.1.0/24', secret: 'typed' })).toMatchObject({ address: ['10.0.0.1', '10.0.1.0/24'], secret: 'typed' });
});

it('one by TLS is known by one name of its certificate', () => {
  const draft = draftOf(of({ radsec: { issuer: 'CN=ca', serial: '0a' }, address: undefined }));
  expect(draft).toMatchObject({ transport: 'tls', knownBy: 'issuer', certificate: 'CN=ca', serial: '0a' });
  expect(bodyOf({ ...draft, secret: 'left over' })).toMatchObject({ address: null, radsec: { san_dns: null, san_ip: null, issuer: 'CN=ca', serial: '0a' } });
  expect(bodyOf({ ...draft, secret: 'left over' })).not.toHaveProperty('secret');
  expect(bodyOf({ ...draft, knownBy: 'san_dns', certificate: 'sw1.example' })).toMatchObject({ radsec: { san_dns: 'sw1.example', issuer: null, serial: null } });
});

it('changes go where its kind of gear says, nowhere, or elsewhere', () => {
  expect(bodyOf(draftOf(of({ coa: false }))).coa).toBe(false);
  const elsewhere = draftOf(of({ coa: { port: 1700, address: '10.0.0.2' } }));
  expect(bodyOf(elsewhere).coa).toEqual({ port: 1700, address: '10.0.0.2' });
  expect(bodyOf({ ...elsewhere, coaAddress: '', coaSecret: 'another' }).coa).toEqual({ port: 1700, address: null, secret: 'another' });
});
