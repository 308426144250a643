// What the scenarios of the console share. The test gives one argument: where the server is, a link to sign in by, where
// screenshots go, and what else it has to tell.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { browse } from '../browser.mjs';

// The page's policy lets no script be added; the browser's debugger may evaluate one.
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/// What the tests of this console hold it to.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const password = 'correct horse battery staple';

export const { origin, link, shots, told } = JSON.parse(process.argv[2]);

/// Signs in by the link, on the server's own page.
export async function signIn(page, secret = link) {
  await page.goto(`${origin}/sign-in`);
  const status = await page.evaluate(async ([secret, password]) => {
    const headers = { 'Content-Type': 'application/json', 'X-Cordon-CSRF': '1' };
    const ask = (method, path, body) => fetch(`/api/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    await ask('POST', 'sign-in/link', { link: secret });
    return (await ask('PUT', 'me/password', { password })).status;
  }, [secret, password]);
  assert.equal(status, 204);
}

/// Signs in by name and password, as somebody does who was sent to do so.
export async function signInByHand(page, name = 'anna') {
  await page.locator('#with-password').evaluate((details) => { details.open = true; });
  await page.fill('#by-password [name=name]', name);
  await page.fill('#by-password [name=password]', password);
  await page.click('#by-password button');
}

/// Opens an address of the console, and waits until its page is there.
export async function open(page, path) {
  await page.goto(`${origin}${path}`);
  await settled(page);
}

/// Waits until the page has its heading and what it asked for.
export async function settled(page) {
  await page.locator('#page-title').waitFor();
  await page.waitForFunction(() => !document.querySelector('.mantine-Loader-root, .mantine-Skeleton-root'));
}

/// What axe finds on the page, none of which is allowed.
export async function accessible(page, name) {
  await page.evaluate(`${axe};0`);
  const found = await page.evaluate(async (rules) => (await globalThis.axe.run(document, { runOnly: rules })).violations, RULES);
  const words = found.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.failureSummary?.replaceAll('\n', ' ')}`).join('\n  ')}`);
  assert.equal(words.length, 0, `axe finds on ${name}:\n${words.join('\n')}`);
}

/// A page as it is on a desk and on a phone, light and dark: screenshots, and what axe says to each.
export async function look(page, name) {
  const sizes = [['', 1280, 900], ['-narrow', 390, 844]];
  for (const [suffix, width, height] of sizes) {
    await page.setViewportSize({ width, height });
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      await page.waitForFunction((wanted) => document.documentElement.dataset.mantineColorScheme === wanted, scheme);
      await settled(page);
      await page.waitForTimeout(120);
      // What axe looks at takes a second: each width and each colour once.
      if ((width > 1_000) === (scheme === 'light')) await accessible(page, `${name}${suffix} (${scheme})`);
      await page.screenshot({ path: `${shots}/console-${name}${suffix}${scheme === 'dark' ? '-dark' : ''}.png` });
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} px wide where there are ${width}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

/// Says yes to what is asked, with why where it is wanted; what it says it hits.
export async function confirm(page, button, reason) {
  const dialog = page.getByTestId('confirm').filter({ has: page.getByRole('button', { name: button, exact: true }) });
  await dialog.waitFor();
  await accessible(page, `the dialog ${button}`);
  const hits = dialog.getByTestId('hits');
  const said = await hits.count() > 0 ? await hits.innerText() : '';
  if (reason) await dialog.getByLabel('Why').fill(reason);
  await dialog.getByRole('button', { name: button, exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
  return said;
}

/// Runs a scenario. Whatever the page complains of, such as what its Content-Security-Policy forbids, fails it.
/// What Chromium says of an answer that is 401: the sign-in page asks who one is.
const SIGNED_OUT = '401 (Unauthorized)';

export const scenario = (run, { allowed = [] } = {}) => browse(async (page, context) => {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  return run(page, context);
}, { allowed: [...allowed, SIGNED_OUT] });
