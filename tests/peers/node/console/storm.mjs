// A storm of logins on the page that shows them live: how many it showed, and how long it did not answer meanwhile.

/// How often the page is asked whether it answers, in milliseconds.
const TICK_MS = 20;
/// How often what it shows is read, in milliseconds, and for how many readings nothing more may come until it is over.
const READ_MS = 250;
const QUIET = 8;
/// The most readings: a minute of them.
const MOST = 240;

/// The page must show the logins, live. `begin` sets the storm off.
export async function storm(page, begin) {
  await page.getByText('live', { exact: true }).waitFor();
  await page.evaluate((tick) => {
    const delays = [];
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      delays.push(Math.max(0, now - last - tick));
      last = now;
    }, tick);
    globalThis.delays = delays;
  }, TICK_MS);
  begin();
  // "4,281 in the last 10 s": what is before the first word.
  const shown = async () => Number((await page.getByTestId('rate').innerText()).split(' ')[0].replaceAll(',', ''));
  let most = 0;
  for (let quiet = 0, n = 0; quiet < QUIET && n < MOST; n += 1) {
    await page.waitForTimeout(READ_MS);
    const now = await shown();
    quiet = now > most || now === 0 ? 0 : quiet + 1;
    most = Math.max(most, now);
  }
  const delays = (await page.evaluate(() => globalThis.delays)).sort((a, b) => a - b);
  const at = (share) => Math.round(delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]);
  return { shown_in_10_s: most, delay_p50_ms: at(0.5), delay_p95_ms: at(0.95), delay_max_ms: at(1) };
}
