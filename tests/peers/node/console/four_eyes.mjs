// What one wants in force, another approves who has seen whom it hits.
import assert from 'node:assert/strict';
import { look, open, origin, scenario, settled, signIn, told } from './harness.mjs';

const tab = (page, name) => page.getByRole('tab', { name }).click();

await scenario(async (page, context) => {
  await signIn(page);
  await open(page, '/policy');
  await page.getByRole('button', { name: 'Remove printers from the draft' }).click();
  await page.locator('[data-testid=checked][data-valid=true]:not([data-busy])').waitFor();
  await page.getByRole('button', { name: 'Activate', exact: true }).click();
  const sure = page.getByRole('dialog');
  await sure.getByTestId('hits').getByText('printers becomes denied: 4').waitFor();
  await sure.getByLabel('Why').fill('printers leave');
  await sure.getByRole('button', { name: 'Activate', exact: true }).click();
  await page.getByText('It waits for somebody else to approve it').waitFor();
  await tab(page, 'Proposals');
  await page.getByText('printers leave').waitFor();
  await look(page, 'policy-proposal');
  // One's own is for others to approve.
  await page.getByRole('button', { name: 'Approve and activate' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Approve and activate' }).click();
  await page.getByText('somebody else must look at it').waitFor();

  const other = await (await context.browser().newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await signIn(other, told.second);
  await other.goto(`${origin}/policy?tab=proposals`);
  await settled(other);
  await other.getByText('printers leave').waitFor();
  await other.getByRole('button', { name: 'Approve and activate' }).click();
  const dialog = other.getByRole('dialog');
  assert.match(await dialog.getByTestId('hits').innerText(), /printers becomes denied: 4/);
  await dialog.getByRole('button', { name: 'Approve and activate' }).click();
  await other.getByText('Approved: it is in force').waitFor();
  await other.getByText('approved', { exact: true }).first().waitFor();
  return {};
}, { allowed: ['409'] });
