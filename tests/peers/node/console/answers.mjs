// What answers to a mistake: a session is ended, a wave that is held is let go, a certificate is issued and revoked, and a
// decision is pinned against the next policy.
import assert from 'node:assert/strict';
import { confirm, look, open, scenario, settled, signIn, told } from './harness.mjs';

await scenario(async (page) => {
  await signIn(page);
  // A login that must stay as it is becomes a test of the policy.
  await open(page, '/decisions?identity=printer-03');
  await page.getByRole('row').filter({ hasText: 'printer-03' }).first().click();
  await page.getByRole('heading', { name: 'Login of printer-03' }).waitFor();
  await settled(page);
  await page.getByRole('button', { name: 'Pin as a policy test' }).click();
  assert.match(await confirm(page, 'Pin as a policy test'), /printer-03/);
  await page.getByText('the policy has a test more').waitFor();
  await open(page, '/policy?tab=tests');
  await page.getByText('passes', { exact: true }).first().waitFor();
  // A draft without the rule that lets it in fails the test, before anything is in force.
  await open(page, '/policy');
  await page.getByRole('button', { name: 'Remove mac-bypass from the draft' }).click();
  await page.locator('[data-testid=checked][data-valid=false]:not([data-busy])').waitFor();
  await page.getByRole('tab', { name: 'Tests' }).click();
  await page.getByText('fails', { exact: true }).first().waitFor();
  await look(page, 'policy-test-fails');
  await page.getByRole('button', { name: 'Discard the draft' }).click();
  await confirm(page, 'Discard the draft');

  // Many sessions at once are held: who lets them go sees how many they are.
  await open(page, '/changes');
  const wave = page.getByRole('region', { name: 'Waves' }).getByRole('listitem').first();
  await wave.filter({ hasText: 'held' }).waitFor();
  await look(page, 'wave-held');
  await wave.getByRole('button', { name: 'Go on' }).click();
  assert.match(await confirm(page, 'Go on'), new RegExp(`${told.wave} sessions`));
  await wave.filter({ hasText: `${told.wave} of ${told.wave} over` }).waitFor();

  // A session is ended, after it was said whose.
  await open(page, '/sessions?identity=printer-05&live=true');
  await page.getByRole('row').filter({ hasText: 'printer-05' }).first().click();
  await page.getByRole('heading', { name: 'Session of printer-05' }).waitFor();
  await page.getByRole('button', { name: 'Disconnect' }).click();
  assert.match(await confirm(page, 'Disconnect', 'it prints by itself'), /printer-05/);
  await page.getByTestId('changes').getByRole('row').filter({ hasText: 'disconnect' }).filter({ hasText: 'done' }).first().waitFor();

  // A certificate is issued to somebody, and revoked.
  await open(page, '/certificates?tab=issued');
  await page.getByRole('button', { name: 'Issue a certificate' }).click();
  const dialog = page.getByRole('dialog', { name: 'Issue a certificate' });
  await dialog.locator('[name=identity]').fill('anna-laptop');
  await page.getByRole('option', { name: 'anna-laptop', exact: true }).click();
  await look(page, 'certificate-issue');
  await dialog.getByRole('button', { name: 'Issue a certificate' }).click();
  await dialog.getByText('shown here, and never again').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row').filter({ hasText: 'anna-laptop' });
  await row.filter({ hasText: 'good' }).waitFor();
  await row.getByRole('button', { name: 'Revoke' }).click();
  assert.match(await confirm(page, 'Revoke', 'the laptop was lost'), /anna-laptop/);
  await row.filter({ hasText: 'revoked' }).waitFor();
  return { revoked: await row.locator('.tag').innerText() };
});
