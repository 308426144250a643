// A storm of logins: what the page shows, and how long it does not answer.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { open, scenario, signIn, told } from './harness.mjs';
import { storm } from './storm.mjs';

await scenario(async (page) => {
  await signIn(page);
  await open(page, '/identities');

  // Who may only look is told so, and cannot press what changes something.
  await page.getByRole('row').filter({ hasText: 'camera-1' }).click();
  await page.getByRole('heading', { name: 'camera-1' }).waitFor();
  const suspend = page.getByRole('button', { name: 'Suspend' });
  assert.equal(await suspend.getAttribute('aria-disabled'), 'true');
  await suspend.hover();
  await page.getByText('This needs the permission inventory:write. Your role (viewer) has it not').waitFor();

  await open(page, '/decisions');
  const seen = await storm(page, () => writeFileSync(told.wanted, ''));
  // It answers still: a login is opened from the midst of it.
  await page.getByRole('row').nth(3).click();
  await page.getByText('Login of').first().waitFor();
  return seen;
});
