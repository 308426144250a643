// A switch is added: its text, and what is seen of it as it comes alive.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { look, open, scenario, signIn, told } from './harness.mjs';

const SECRET = 'a-secret-that-was-typed';
const login = (secret) => spawnSync('radclient', ['-x', '-t', '1', '-r', '1', `127.0.0.1:${told.auth}`, 'auth', secret], {
  input: 'User-Name="02-00-5E-00-00-07", User-Password="02-00-5E-00-00-07", Service-Type=Call-Check, Calling-Station-Id="02-00-5E-00-00-07", NAS-IP-Address=127.0.0.1, NAS-Port-Type=Ethernet, Message-Authenticator=0x00',
  encoding: 'utf8',
});

await scenario(async (page) => {
  const is = (step, state) => page.locator(`[data-testid=step-${step}][data-state=${state}]`).waitFor();
  await signIn(page);
  // Before it is known, it stands among those that ask.
  login(SECRET);
  await open(page, '/nas');
  await page.getByText('They ask and are not known').waitFor();
  await look(page, 'devices-unknown');
  await page.getByRole('link', { name: 'Add', exact: true }).first().click();
  await page.waitForURL('**/nas/new?**');
  assert.equal(await page.inputValue('[name=address]'), '127.0.0.1');
  await page.fill('[name=name]', 'sw-1');
  await page.selectOption('[name=vendor]', 'cisco-ios');
  await page.fill('[name=secret]', SECRET);
  await page.fill('[name=site]', 'hq');
  await look(page, 'device-new');
  await page.getByRole('button', { name: 'Add it' }).click();

  await page.waitForURL('**/nas/sw-1');
  const text = page.getByTestId('snippet');
  await text.filter({ hasText: `address ipv4 127.0.0.1 auth-port ${told.auth} acct-port ${told.acct}` }).waitFor();
  await text.filter({ hasText: `key ${SECRET}` }).waitFor();
  await is('packet', 'waiting');
  await look(page, 'device-waits');
  await page.selectOption('[name=vendor]', 'juniper-ex');
  await text.filter({ hasText: 'set access radius-server 127.0.0.1 port' }).waitFor();

  login('not-the-secret-of-it');
  await is('secret', 'bad');
  await page.screenshot({ path: `${JSON.parse(process.argv[2]).shots}/console-device-wrong-secret.png` });
  login(SECRET);
  for (const step of ['packet', 'secret', 'message_authenticator']) await is(step, 'good');

  // This switch takes changes at a port of its own; its secret stays as it is.
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const form = page.getByRole('dialog', { name: 'Edit sw-1' });
  await form.locator('[name=coa]').selectOption('at');
  await form.locator('[name=coa_port]').fill(String(told.coa));
  await look(page, 'device-edit');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Test whether it takes changes' }).click();
  const result = page.getByTestId('coa-result');
  await result.filter({ hasText: 'there is no such session' }).waitFor();
  assert.equal(await result.getAttribute('data-outcome'), 'nak');
  await is('changes', 'good');
  await look(page, 'device');

  const steps = await page.locator('[data-testid^=step-]').evaluateAll((all) => Object.fromEntries(all.map((one) => [one.dataset.testid.slice(5), one.dataset.state])));
  await open(page, '/nas');
  await page.getByRole('row').filter({ hasText: 'sw-1' }).filter({ hasText: 'active' }).waitFor();
  await look(page, 'devices');
  // The secret is shown by no page that is opened later.
  await page.goto(`${JSON.parse(process.argv[2]).origin}/nas/sw-1`);
  await text.filter({ hasText: '<secret>' }).waitFor();

  // One that speaks TLS alone is known by its certificate, has no secret, and takes no changes.
  await open(page, '/nas/new');
  await page.fill('[name=name]', 'branch-7');
  await page.selectOption('[name=transport]', 'tls');
  assert.equal(await page.locator('[name=secret]').count(), 0);
  await page.fill('[name=certificate]', 'branch-7.our.example');
  await page.selectOption('[name=coa]', 'none');
  await look(page, 'device-new-tls');
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.waitForURL('**/nas/branch-7');
  return { steps };
});
