// Down a list of very many rows and up again, by wheel and by keys: each row stands where it belongs, and few are here.
import assert from 'node:assert/strict';
import { arrived, gaps, heap, known, toTheEnd, watch, wheel } from './far.mjs';
import { open, scenario, signIn, told } from './harness.mjs';

/// Rows as they are seen: their numbers from 0, and names.
const seen = (page) => page.locator('.row').evaluateAll((rows) => rows.map((row) => [Number(row.getAttribute('aria-rowindex')) - 2, row.querySelector('b')?.textContent]));

/// Each row is the one of its number: somebody called ben, and then users by their numbers.
async function inOrder(page, what) {
  await arrived(page);
  const rows = await seen(page);
  assert.ok(rows.length > 10, `${what}: ${rows.length} rows`);
  for (const [n, name] of rows) assert.equal(name, n === 0 ? 'ben' : `user-${String(n - 1).padStart(6, '0')}@corp.example`, what);
  return rows;
}

await scenario(async (page) => {
  await signIn(page);
  let asked = 0;
  page.on('request', (request) => { if (request.url().includes('/api/v1/identities?')) asked += 1; });
  await open(page, '/identities?kind=user');
  await page.getByRole('row', { name: 'ben', exact: false }).first().waitFor();
  await inOrder(page, 'at the top');
  const before = await heap(page);
  await watch(page);
  let most = await wheel(page, 30);
  const wheeled = await gaps(page);
  await inOrder(page, 'after the wheel');

  await toTheEnd(page, told.many + 1);
  assert.equal(await known(page), told.many + 1);
  const last = (await inOrder(page, 'at the end')).at(-1);
  assert.deepEqual(last, [told.many, `user-${String(told.many - 1).padStart(6, '0')}@corp.example`]);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-index')), String(told.many), 'the last row has the focus');
  const after = await heap(page);
  const down = asked;

  // Up again: what was let go of is asked for anew, page by page.
  most = Math.max(most, await wheel(page, -60));
  await inOrder(page, 'on the way up');
  for (let n = 0; n < 30; n += 1) await page.keyboard.press('PageUp');
  await inOrder(page, 'by PageUp');
  await page.keyboard.press('Home');
  await page.waitForFunction(() => document.activeElement?.getAttribute('data-index') === '0', null, { polling: 'raf' });
  const first = (await inOrder(page, 'at the top again'))[0];
  assert.equal(first[0], 0);
  await page.keyboard.press('PageDown');
  await inOrder(page, 'a page further');
  assert.equal(new URL(page.url()).search, '?kind=user');

  // A row of the midst is opened and left again.
  await page.locator('.row').nth(8).click();
  await page.getByRole('heading', { name: /^user-/ }).waitFor();
  return { rows_in_page: most, heap_before_mib: before, heap_after_mib: after, asked_down: down, asked_in_all: asked, wheeled };
});
