// The first operator: by the link of the server's log, then a passkey, then a password with an app.
// Arguments: the link, and a directory for screenshots.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { authenticator, browse, says } from './browser.mjs';

const [link, shots] = process.argv.slice(2);
const origin = new URL(link).origin;
const password = 'correct horse battery staple';

const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
const me = (page) => page.evaluate(async () => {
  const answer = await fetch('/api/v1/me');
  return { status: answer.status, ...(await answer.json()) };
});
const code = (secret, now) => execFileSync('oathtool', ['--totp', '-b', ...(now ? [`--now=${now}`] : []), secret]).toString().trim();

async function signOut(page) {
  await page.click('#sign-out');
  await page.locator('#in').waitFor();
  assert.equal((await me(page)).status, 401);
}

async function type(page, given) {
  await page.locator('#with-password').evaluate((details) => { details.open = true; });
  await page.fill('#by-password [name=name]', 'Anna');
  await page.fill('#by-password [name=password]', given);
  await page.click('#by-password button');
}

// A page of another origin, which has the browser ask the server for things in the operator's name.
async function hostilePage(context) {
  const body = JSON.stringify({ name: 'mallory', roles: ['administrator'] });
  const html = `<script type="module">
    const ask = (headers) => fetch('${origin}/api/v1/operators', { method: 'POST', credentials: 'include', headers, body: ${JSON.stringify(body)}, mode: headers['Content-Type'] === 'text/plain' ? 'no-cors' : 'cors' }).then((a) => a.type + a.status, (e) => 'failed');
    const read = () => fetch('${origin}/api/v1/me', { credentials: 'include' }).then((a) => a.text(), () => 'failed');
    window.told = Promise.all([ask({ 'Content-Type': 'text/plain' }), ask({ 'Content-Type': 'application/json', 'X-Cordon-CSRF': '1' }), read()]);
  </script><form method="post" action="${origin}/api/v1/sign-out" id="form"></form>`;
  const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(html)).listen(0);
  const page = await context.newPage();
  await page.goto(`http://localhost:${server.address().port}/`);
  const told = await page.evaluate(() => window.told);
  await page.evaluate(() => document.getElementById('form').submit());
  await page.waitForURL(`${origin}/**`);
  const form = await page.locator('body').innerText();
  await page.close();
  server.close();
  return { told, form };
}

await browse(async (page, context) => {
  const finger = await authenticator(context, page);
  await page.goto(link);
  await says(page, 'link-title', 'Make the first operator');
  await shot(page, 'sign-in-first');
  await page.fill('#by-link [name=name]', 'anna');
  await page.click('#by-link button');
  await says(page, 'who', 'anna');
  await says(page, 'half', 'Get something to sign in with');
  assert.ok(!page.url().includes('#'), 'the link does not stay in the history');
  // Until there is something to sign in with, the account opens nothing.
  assert.deepEqual((await me(page)).permissions, ['own']);
  const early = await page.evaluate(() => fetch('/api/v1/operators').then((a) => a.status));
  assert.equal(early, 403);

  await page.click('#add-passkey button');
  await says(page, 'note', 'The passkey is added');
  assert.equal((await finger.credentials()).length, 1);
  await shot(page, 'sign-in-account');
  await signOut(page);
  await shot(page, 'sign-in');

  // Nobody's finger: the authenticator does not answer for its owner.
  await finger.verifies(false);
  await page.click('#by-passkey');
  await says(page, 'problem', 'Nothing was chosen');
  await finger.verifies(true);
  await page.click('#by-passkey');
  await says(page, 'who', 'anna');
  const whole = await me(page);
  assert.equal(whole.means, 'passkey');
  assert.ok(whole.permissions.includes('operators:write'));

  const hostile = await hostilePage(context);
  assert.equal((await me(page)).status, 200, 'a foreign page has signed nobody out');

  await page.fill('#set-password [name=password]', password);
  await page.click('#set-password button');
  await says(page, 'note', 'The password is set');
  // A password alone opens nothing to who has a passkey, not even to add something.
  await signOut(page);
  await type(page, password);
  await says(page, 'problem', 'a password alone is not enough');
  await page.click('#by-passkey');
  await says(page, 'who', 'anna');
  await page.click('#begin-app');
  await says(page, 'app', 'authenticator app');
  const secret = await page.locator('#app-secret').innerText();
  assert.match(await page.locator('#app-url').getAttribute('href'), /^otpauth:\/\/totp\//);
  await page.fill('#confirm-app [name=code]', '000000');
  await page.click('#confirm-app button');
  await page.locator('#problem').waitFor();
  await page.fill('#confirm-app [name=code]', code(secret));
  await page.click('#confirm-app button');
  await says(page, 'recovery', 'Should you lose the app');
  const recovery = (await page.locator('#recovery-codes').innerText()).trim().split('\n');
  assert.equal(recovery.length, 8);
  await shot(page, 'sign-in-recovery');
  await signOut(page);

  await type(page, 'wrong horse battery staple');
  await says(page, 'problem', 'name, password or code is wrong');
  await type(page, password);
  await says(page, 'note', 'Now the code');
  await page.fill('#by-password [name=code]', recovery[0]);
  await page.click('#by-password button');
  await says(page, 'who', 'anna');
  await says(page, 'app-state', '7 recovery codes are left');
  await signOut(page);
  // A recovery code is good once, a code of the app too.
  await page.reload();
  await type(page, password);
  await page.fill('#by-password [name=code]', recovery[0]);
  await page.click('#by-password button');
  await says(page, 'problem', 'is wrong');
  const next = code(secret, `${new Date(Date.now() + 30_000).toISOString().slice(0, 19).replace('T', ' ')} UTC`);
  await page.fill('#by-password [name=code]', next);
  await page.click('#by-password button');
  await says(page, 'who', 'anna');
  assert.equal((await me(page)).means, 'password_and_code');
  await signOut(page);
  await page.reload();
  await type(page, password);
  await page.fill('#by-password [name=code]', next);
  await page.click('#by-password button');
  await says(page, 'problem', 'is wrong');

  await page.setViewportSize({ width: 390, height: 800 });
  await page.reload();
  await page.click('#by-passkey');
  await says(page, 'who', 'anna');
  await shot(page, 'sign-in-account-narrow');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `the page is ${wide} px wide`);
  const cookies = await context.cookies();
  return { hostile, cookies: cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })) };
}, { allowed: ['Failed to load resource', 'has been blocked by CORS policy'] });
