// The first steps, by what stands on the page alone: a device, a profile, somebody with a certificate, a rule, a login.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { look, open, scenario, settled, signIn, told } from './harness.mjs';

const keep = async (page, button, name) => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button, exact: true }).click()]);
  await download.saveAs(join(told.dir, name));
};
const step = (page, n) => page.getByTestId(`first-step-${n}`).waitFor();

await scenario(async (page) => {
  await signIn(page);
  const began = Date.now();
  await open(page, '/');
  await page.getByRole('link', { name: 'First steps' }).last().click();
  await page.waitForURL('**/start');
  await settled(page);
  await look(page, 'first-steps');

  await step(page, 0);
  await page.fill('[name=name]', 'desk-switch');
  await page.fill('[name=address]', '127.0.0.1');
  const secret = await page.inputValue('[name=secret]');
  assert.ok(secret.length >= 24, secret);
  await page.getByRole('button', { name: 'Add it' }).click();

  await step(page, 1);
  // The text for the device has the secret in it, this once.
  await page.getByTestId('snippet').filter({ hasText: secret }).waitFor();
  await page.getByRole('button', { name: 'Make it' }).click();

  await step(page, 2);
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByText('shown here, and never again').waitFor();
  await keep(page, 'Certificate (PEM)', 'laptop-1.pem');
  await keep(page, 'Private key (PEM)', 'laptop-1.key');
  await page.getByRole('button', { name: 'Done' }).click();

  await step(page, 3);
  await page.getByRole('button', { name: 'Put it in force' }).click();

  await step(page, 4);
  await page.getByTestId('step-packet').and(page.locator('[data-state=waiting]')).waitFor();
  await look(page, 'first-login-waits');
  writeFileSync(join(told.dir, 'client.conf'), await page.locator('pre.snippet').first().innerText());
  // What the supplicant trusts is the CA of the server's own certificate, which is another here.
  copyFileSync(told.ca, join(told.dir, 'ca.pem'));
  const login = spawnSync('eapol_test', ['-c', 'client.conf', '-a', '127.0.0.1', '-p', String(told.auth), '-s', secret], { cwd: told.dir, encoding: 'utf8', timeout: 20_000 });
  assert.match(login.stdout, /SUCCESS/, login.stdout.slice(-2000));
  await page.getByTestId('first-login').waitFor();
  const seconds = (Date.now() - began) / 1000;
  for (const name of ['packet', 'secret', 'message_authenticator', 'login']) await page.getByTestId(`step-${name}`).and(page.locator('[data-state=good]')).waitFor();
  await look(page, 'first-login');
  return { seconds, took: await page.getByTestId('took').innerText() };
});
