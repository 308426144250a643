// A long list that is scrolled, and a storm of logins: what the page holds, and how long it does not answer.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { open, scenario, signIn, told } from './harness.mjs';
import { storm } from './storm.mjs';

await scenario(async (page) => {
  await signIn(page);
  await open(page, '/identities?kind=user&sort=name');
  const body = page.locator('.rows-body');
  await page.getByRole('row').nth(5).waitFor();
  let inPage = 0;
  for (let n = 0; n < 60; n += 1) {
    await body.evaluate((element) => { element.scrollTop += 2_000; });
    await page.waitForTimeout(30);
    inPage = Math.max(inPage, await page.locator('.row').count());
  }
  await page.waitForFunction((many) => {
    const body = document.querySelector('.rows-body');
    body.scrollTop = body.scrollHeight;
    return document.querySelector('.rows-foot')?.textContent?.startsWith(many);
  }, (told.many + 1).toLocaleString('en'), { polling: 50 });

  // Who may only look is told so, and cannot press what changes something.
  await page.getByRole('row').last().click();
  await page.getByRole('heading', { name: /user-/ }).waitFor();
  const suspend = page.getByRole('button', { name: 'Suspend' });
  assert.equal(await suspend.getAttribute('aria-disabled'), 'true');
  await suspend.hover();
  await page.getByText('This needs the permission inventory:write. Your role (viewer) has it not').waitFor();

  await open(page, '/decisions');
  const seen = await storm(page, () => writeFileSync(told.wanted, ''));
  // It answers still: a login is opened from the midst of it.
  await page.getByRole('row').nth(3).click();
  await page.getByText('Login of').first().waitFor();
  return { rows_in_page: inPage, ...seen };
});
