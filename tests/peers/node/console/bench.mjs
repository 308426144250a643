// What the first view of the console costs, and how it bears a storm of logins and a very long list. Arguments: the server's
// address, its token, how often the first view is looked at, the rows of the list, how many of its pages are scrolled through,
// and a command that makes the storm. Ends with 1 if something is not as it should be.
import { spawn } from 'node:child_process';
import { authenticator, browse } from '../browser.mjs';
import { arrived, gaps, heap, watch, wheel } from './far.mjs';
import { firstView } from './first_view.mjs';
import { storm } from './storm.mjs';

const [origin, token, runs, listed, pages, ...command] = process.argv.slice(2);
/// Logins in a second that have to be shown live, and for how long the page may not answer meanwhile, in milliseconds.
const LIVE = 500;
const STALL_MS = 250;
/// Identities of one request.
const AT_ONCE = 10_000;
/// What the page may hold more after it was scrolled through, in MiB.
const MOST_MIB = 8;
/// The worst gap between two frames while a list is scrolled, in milliseconds.
const WORST_GAP_MS = 250;
const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
const made = await fetch(`${origin}/api/v1/operators`, {
  method: 'POST',
  headers,
  body: JSON.stringify({ name: `bench-${Date.now()}`, roles: ['viewer'] }),
});
const link = (await made.json()).link.split('#')[1];
const middle = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)];

/// Makes identities until there are so many users.
async function people(count) {
  for (let first = 0; first < count; first += AT_ONCE) {
    const identities = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, n) => ({ kind: 'user', name: `user-${String(first + n).padStart(7, '0')}@corp.example` }));
    const made = await fetch(`${origin}/api/v1/identities/bulk`, { method: 'POST', headers, body: JSON.stringify({ identities }) });
    if (!made.ok) throw new Error(`${made.status}: ${await made.text()}`);
  }
}

await browse(async (page, context) => {
  await page.goto(`${origin}/sign-in`);
  // A link opens nothing but one's own account; a passkey makes the sign-in whole, and the browser has one.
  await authenticator(context, page);
  await page.goto(`${origin}/sign-in#${link}`);
  await page.reload();
  await page.click('#by-link button');
  await page.click('#add-passkey button');
  await page.getByText('The passkey is added').waitFor();
  const views = [];
  for (let n = 0; n < Number(runs); n += 1) views.push(await firstView(page, `${origin}/`));
  const row = (name, text, good) => {
    console.log(`${name.padEnd(54)}${text}${good === undefined ? '' : good ? ': good' : ': TOO BAD'}`);
    if (good === false) process.exitCode = 1;
  };
  row('JavaScript over the wire, compressed', `${(views[0].js_octets / 1024).toFixed(0)} KiB`);
  row('everything over the wire', `${(views[0].octets / 1024).toFixed(0)} KiB, ${views[0].requests} requests`);
  row('first paint, the middle of all runs', `${middle(views.map((v) => v.paint_ms)).toFixed(0)} ms`);
  row('largest paint', `${middle(views.map((v) => v.largest_ms)).toFixed(0)} ms`);
  row('the page can be used', `${middle(views.map((v) => v.interactive_ms)).toFixed(0)} ms`);
  row('blocked longer than 50 ms, in all', `${middle(views.map((v) => v.blocked_ms)).toFixed(0)} ms`);
  row('layout shift', middle(views.map((v) => v.shift)).toFixed(3));
  await page.goto(`${origin}/decisions`);
  const seen = await storm(page, () => spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] }));
  row('logins shown live', `${(seen.shown_in_10_s / 10).toFixed(0)} a second over ten seconds`, seen.shown_in_10_s >= LIVE * 10);
  row('the page answered late meanwhile, 50% / 95% / most', `${seen.delay_p50_ms} / ${seen.delay_p95_ms} / ${seen.delay_max_ms} ms`, seen.delay_p95_ms < STALL_MS);

  const made = Date.now();
  await people(Number(listed));
  row(`making ${Number(listed).toLocaleString('en')} identities by the API`, `${((Date.now() - made) / 1000).toFixed(0)} s`);
  // The server puts them in the order of their names when somebody asks first.
  for (const which of ['first', 'second']) {
    const begun = performance.now();
    await page.goto(`${origin}/identities?kind=user`);
    await page.locator('.row').first().waitFor();
    await arrived(page);
    row(`the list opens, ${which} time`, `${(performance.now() - begun).toFixed(0)} ms`);
  }
  const before = await heap(page);
  await watch(page);
  const rows = await wheel(page, Number(pages));
  const between = await gaps(page);
  const after = await heap(page);
  row(`frames over ${pages} pages of 100 rows, 50% / 99% / worst gap`, `${between.p50_ms} / ${between.p99_ms} / ${between.worst_ms} ms`, between.worst_ms < WORST_GAP_MS);
  row('rows in the document, most', `${rows}`);
  row('memory of the page, before / after', `${before.toFixed(1)} / ${after.toFixed(1)} MiB`, after - before < MOST_MIB);
}, { allowed: ['401 (Unauthorized)', '404 (Not Found)'] });
