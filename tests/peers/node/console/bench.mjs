// What the first view of the console costs, and how it bears a storm of logins. Arguments: the server's address, its token,
// how often the first view is looked at, and a command that makes the storm.
import { spawn } from 'node:child_process';
import { authenticator, browse } from '../browser.mjs';
import { firstView } from './first_view.mjs';
import { storm } from './storm.mjs';

const [origin, token, runs, ...command] = process.argv.slice(2);
const made = await fetch(`${origin}/api/v1/operators`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
  body: JSON.stringify({ name: `bench-${Date.now()}`, roles: ['viewer'] }),
});
const link = (await made.json()).link.split('#')[1];
const middle = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)];

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
  const row = (name, text) => console.log(`${name.padEnd(54)}${text}`);
  row('JavaScript over the wire, compressed', `${(views[0].js_octets / 1024).toFixed(0)} KiB`);
  row('everything over the wire', `${(views[0].octets / 1024).toFixed(0)} KiB, ${views[0].requests} requests`);
  row('first paint, the middle of all runs', `${middle(views.map((v) => v.paint_ms)).toFixed(0)} ms`);
  row('largest paint', `${middle(views.map((v) => v.largest_ms)).toFixed(0)} ms`);
  row('the page can be used', `${middle(views.map((v) => v.interactive_ms)).toFixed(0)} ms`);
  row('blocked longer than 50 ms, in all', `${middle(views.map((v) => v.blocked_ms)).toFixed(0)} ms`);
  row('layout shift', middle(views.map((v) => v.shift)).toFixed(3));
  await page.goto(`${origin}/decisions`);
  const seen = await storm(page, () => spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] }));
  row('logins shown live', `${(seen.shown_in_10_s / 10).toFixed(0)} a second over ten seconds`);
  row('the page answered late meanwhile, 50% / 95% / most', `${seen.delay_p50_ms} / ${seen.delay_p95_ms} / ${seen.delay_max_ms} ms`);
}, { allowed: ['401 (Unauthorized)', '404 (Not Found)'] });
