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
  const post = (path, body) => page.evaluate(([path, body]) => fetch(`/api/v1/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-cordon-csrf': '1' }, body: JSON.stringify(body),
  }).then((a) => a.json()), [path, body]);
  // Nothing is left here by which they could come in without the provider.
  assert.equal((await post('me/passkeys/begin', {})).code, 'of_provider');
  const { token } = await post('tokens', { name: 'of lab', role: 'viewer' });
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const asks = (headers) => fetch(`${origin}/api/v1/sessions`, { headers }).then((answer) => answer.status);
  const held = [{ cookie }, { authorization: `Bearer ${token}` }];
  assert.deepEqual(await Promise.all(held.map(asks)), [200, 200]);
  await fetch(`${provider}/members?of=lab&groups=guests`, { method: 'POST' });
  page = await as(context, 'lab');
  await says(page, 'problem', 'nothing here');
  // What the provider takes back ends in other browsers and for tokens too.
  assert.deepEqual(await Promise.all(held.map(asks)), [401, 403]);
  // An answer that was begun in another browser signs nobody in here.
  await page.goto(`${origin}/api/v1/sign-in/provider/back?code=x&state=y`);
  await says(page, 'problem', 'was not begun in this browser');
  return { admin, lab, raised };
}, { allowed: ['Failed to load resource', 'Content Security Policy', 'ERR_FAILED'] });
