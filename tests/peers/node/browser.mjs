// A browser for the scenarios: Debian's Chromium, which asks nobody but the host it runs on.
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/// Runs `scenario` with a page; what the page's script complains of fails it. Prints what it returns.
export async function browse(scenario, { allowed = [] } = {}) {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const complaints = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(15_000);
    await context.route((url) => !['localhost', '127.0.0.1'].includes(url.hostname), (route) => route.abort());
    context.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !allowed.some((part) => text.includes(part))) complaints.push(text);
    });
    context.on('weberror', (error) => complaints.push(String(error.error())));
    const told = await scenario(await context.newPage(), context);
    if (complaints.length > 0) throw new Error(`the page complains:\n${complaints.join('\n')}`);
    console.log(JSON.stringify(told ?? {}));
  } finally {
    await browser.close();
  }
}

/// An authenticator within the browser, with a finger that is always there.
export async function authenticator(context, page) {
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  return {
    verifies: (isUserVerified) => devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    credentials: async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    forget: () => devtools.send('WebAuthn.clearCredentials', { authenticatorId }),
  };
}

/// Waits until `id` says something like `text`.
export async function says(page, id, text) {
  try {
    await page.locator(`#${id}`).filter({ hasText: text, visible: true }).waitFor();
  } catch {
    throw new Error(`#${id} does not say "${text}"; the page says:\n${await page.locator('body').innerText()}`);
  }
}
