// Signs in by a provider of identities, as several people. Arguments: Cordon's origin, the provider's, and a directory for
// screenshots.
import assert from 'node:assert/strict';
import { browse, says } from './browser.mjs';

const [origin, provider, shots] = process.argv.slice(2);

async function as(context, name) {
  await context.clearCookies();
  const page = await context.newPage();
  await page.goto(`${origin}/sign-in`);
  await page.click('#by-provider');
  await page.waitForURL(`${provider}/**`);
  await page.fill('input[name=login]', name);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  // What it asks next is whether this server may know of it.
  await page.click('button[type=submit]');
  await page.waitForURL(`${origin}/sign-in?*`);
  return page;
}

const me = (page) => page.evaluate(() => fetch('/api/v1/me').then((a) => a.json()));

await browse(async (first, context) => {
  await first.goto(`${origin}/sign-in`);
  await first.screenshot({ path: `${shots}/sign-in-provider.png`, fullPage: true });
  let page = await as(context, 'admin');
  await says(page, 'who', 'admin');
  const admin = await me(page);
  page = await as(context, 'lab');
  await says(page, 'who', 'lab');
  const lab = await me(page);
  page = await as(context, 'visitor');
  await says(page, 'problem', 'nothing here');
  assert.equal((await me(page)).code, 'unauthorized');
  // Another's group: the roles are those that the provider grants now.
  await fetch(`${provider}/members?of=lab&groups=nac-admins`, { method: 'POST' });
  page = await as(context, 'lab');
  await says(page, 'who', 'lab');
  const raised = await me(page);
  await fetch(`${provider}/members?of=lab&groups=guests`, { method: 'POST' });
  page = await as(context, 'lab');
  await says(page, 'problem', 'nothing here');
  // An answer that was begun in another browser signs nobody in here.
  await page.goto(`${origin}/api/v1/sign-in/provider/back?code=x&state=y`);
  await says(page, 'problem', 'was not begun in this browser');
  return { admin, lab, raised };
}, { allowed: ['Failed to load resource', 'Content Security Policy', 'ERR_FAILED'] });
