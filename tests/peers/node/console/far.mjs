// How a long list bears being scrolled: rows in the document, the gaps between frames, and what the page holds.

/// Pixels of a page of the server's, 100 rows.
const PAGE_PX = 3_400;

/// What the page holds when all garbage is gone, in MiB.
export async function heap(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  await devtools.detach();
  return usedSize / 2 ** 20;
}

/// Notes the gaps between frames, in milliseconds, from now on.
export const watch = (page) => page.evaluate(() => {
  let last = performance.now();
  globalThis.gaps = [];
  const frame = (now) => {
    globalThis.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
});

/// The gaps since then: the middle one, that of one in a hundred, and the worst.
export async function gaps(page) {
  const all = (await page.evaluate(() => globalThis.gaps.splice(0))).sort((a, b) => a - b);
  const at = (share) => Math.round(all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0);
  return { frames: all.length, p50_ms: at(0.5), p99_ms: at(0.99), worst_ms: at(1) };
}

/// Rows that the list knows of: the number that stands below it.
export const known = async (page) => Number((await page.locator('.rows-foot p').innerText()).split(/[ +]/)[0].replaceAll(',', '')) || 0;

/// Waits until every row that is seen is here.
export const arrived = (page) => page.waitForFunction(() => document.querySelector('.row') && !document.querySelector('.row[aria-busy]'), null, { polling: 'raf' });

/// Turns the wheel over so many pages, down or (if negative) up; the most rows that were in the document.
export async function wheel(page, pages) {
  const box = await page.locator('.rows-body').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  let most = 0;
  for (let n = 0; n < Math.abs(pages); n += 1) {
    await page.mouse.wheel(0, Math.sign(pages) * PAGE_PX);
    await arrived(page);
    most = Math.max(most, await page.locator('.row').count());
  }
  return most;
}

/// Presses End until there is no more below; then the last row has the focus.
export async function toTheEnd(page, rows) {
  await page.locator('.row').first().focus();
  while (await known(page) < rows) {
    const before = await known(page);
    await page.keyboard.press('End');
    await page.waitForFunction((count) => Number((document.querySelector('.rows-foot p')?.textContent ?? '').split(/[ +]/)[0].replaceAll(',', '')) > count, before, { polling: 'raf' });
  }
  await page.keyboard.press('End');
  await arrived(page);
}
