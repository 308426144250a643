// The audit log is verified while one watches, and a report is taken away.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { look, open, scenario, signIn } from './harness.mjs';

await scenario(async (page) => {
  await signIn(page);
  await open(page, '/audit');
  await page.getByRole('row').filter({ hasText: 'policy' }).first().waitFor();
  await page.getByRole('button', { name: 'Verify the log' }).click();
  const verification = page.locator('[data-testid=verification][data-state=intact]');
  await verification.waitFor();
  assert.match(await verification.innerText(), /events follow one another/);
  await look(page, 'audit');
  // One event: what was, what is.
  await page.locator('.as-link').first().click();
  await page.getByRole('dialog').getByText('Hash of the one before').waitFor();
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${JSON.parse(process.argv[2]).shots}/console-audit-event.png` });
  await page.keyboard.press('Escape');

  await open(page, '/reports');
  await page.getByTestId('preview').getByText('printer-2').first().waitFor();
  await page.locator('[name=outcome]').selectOption('accept');
  await page.waitForURL('**/reports?outcome=accept');
  await page.getByTestId('preview').waitFor();
  await look(page, 'reports');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download as CSV' }).click()]);
  assert.match(download.suggestedFilename(), /decisions.*\.csv$/);
  return { verified: 'intact', report: readFileSync(await download.path(), 'utf8') };
});
