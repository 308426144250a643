// A browser in quarantine, sent to the page that says why; its owner mends what fails and is back.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { browse } from './browser.mjs';

const { address, mended, back, shots } = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function accessible(page, name) {
  await page.evaluate(`${axe};0`);
  const found = await page.evaluate(async () => (await globalThis.axe.run(document)).violations);
  assert.equal(found.length, 0, `axe finds on ${name}: ${JSON.stringify(found.map((v) => [v.id, v.nodes.map((n) => n.target)]))}`);
}

await browse(async (page) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(address);
  await page.getByRole('heading', { name: 'This device needs attention' }).waitFor();
  await page.getByRole('heading', { name: /firewall/i }).waitFor();
  await page.getByText('ask <img src=x onerror=window.hit=1>anna').waitFor();
  await page.getByText('help desk, <i>4711</i>').waitFor();
  await accessible(page, 'what fails');
  await page.screenshot({ path: `${shots}/recheck.png` });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 1280, height: 900 });
  await accessible(page, 'what fails, dark');
  await page.screenshot({ path: `${shots}/recheck-wide-dark.png` });
  // Nothing was mended: the same again.
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByRole('heading', { name: 'This device needs attention' }).waitFor();
  writeFileSync(mended, '');
  // What was mended is seen when the page is opened again, at the latest.
  const heading = (name) => page.getByRole('heading', { name });
  const until = async (name) => {
    for (let tries = 0; tries < 30 && (await heading(name).count()) === 0; tries += 1) {
      await page.waitForTimeout(1_000);
      await page.goto(address);
    }
    await heading(name).waitFor();
  };
  await until('Your access is being changed');
  await page.screenshot({ path: `${shots}/recheck-restored.png` });
  writeFileSync(back, '');
  // The same address tells of the next login; a warning is left.
  await until('This should be mended');
  await accessible(page, 'what is left');
  return { hit: (await page.evaluate(() => globalThis.hit)) ?? null };
});
