// Signed out, signed in, and what is around every page.
import assert from 'node:assert/strict';
import { firstView } from './first_view.mjs';
import { look, open, origin, scenario, settled, signIn, signInByHand } from './harness.mjs';

await scenario(async (page) => {
  const answers = [];
  page.on('response', (answer) => answers.push(answer));
  // Who is not signed in is asked to, and comes back to where they were.
  await signIn(page);
  await page.evaluate(() => fetch('/api/v1/sign-out', { method: 'POST', headers: { 'X-Cordon-CSRF': '1' } }));
  await page.goto(`${origin}/decisions?outcome=reject`);
  await page.waitForURL('**/sign-in?then=**');
  await signInByHand(page);
  await page.waitForURL(`${origin}/decisions?outcome=reject`);
  await settled(page);
  await look(page, 'logins-empty');

  const view = await firstView(page, `${origin}/`);

  // By the keyboard alone: past the navigation, and through it.
  await open(page, '/');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'page-title');
  // A page that is not there says so, with a way on.
  await page.goto(`${origin}/no/such/page`);
  await page.getByText('There is no such page').waitFor();

  const whole = answers.find((answer) => answer.url() === `${origin}/decisions?outcome=reject`);
  const script = answers.find((answer) => /assets\/index-.*\.js$/.test(answer.url()));
  for (const answer of answers) assert.ok(answer.url().startsWith(origin), `${answer.url()} is not this server's`);
  return { policy: whole.headers()['content-security-policy'], asset: script.headers(), view };
});
