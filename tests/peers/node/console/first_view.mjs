// One look at a page with nothing cached: what came over the wire, and when it could be used.

/// Without tasks longer than 50 ms for so long, in milliseconds, the page counts as usable (as Lighthouse has it, shorter).
const QUIET_MS = 500;

export async function firstView(page, url) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  await devtools.send('Network.setCacheDisabled', { cacheDisabled: true });
  const kinds = new Map();
  const came = { octets: 0, js_octets: 0, requests: 0 };
  devtools.on('Network.responseReceived', ({ requestId, response }) => kinds.set(requestId, response.mimeType));
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    came.requests += 1;
    came.octets += encodedDataLength;
    if (kinds.get(requestId)?.includes('javascript')) came.js_octets += encodedDataLength;
  });
  await page.goto(url);
  await page.locator('#page-title').waitFor();
  const told = await page.evaluate(async (quiet) => {
    const entries = (type) => new Promise((resolve) => {
      const all = [];
      const observer = new PerformanceObserver((list) => all.push(...list.getEntries()));
      observer.observe({ type, buffered: true });
      setTimeout(() => { observer.disconnect(); resolve(all); }, quiet);
    });
    const [long, largest, shifts, paints] = await Promise.all(['longtask', 'largest-contentful-paint', 'layout-shift', 'paint'].map(entries));
    const paint = paints.find((entry) => entry.name === 'first-contentful-paint')?.startTime ?? 0;
    const title = performance.getEntriesByName('title')[0]?.startTime ?? largest.at(-1)?.startTime ?? paint;
    return {
      paint_ms: paint,
      largest_ms: largest.at(-1)?.startTime ?? paint,
      interactive_ms: Math.max(title, ...long.map((task) => task.startTime + task.duration)),
      blocked_ms: long.reduce((sum, task) => sum + Math.max(0, task.duration - 50), 0),
      shift: shifts.reduce((sum, one) => sum + (one.hadRecentInput ? 0 : one.value), 0),
    };
  }, QUIET_MS);
  await devtools.detach();
  return { ...came, ...told };
}
