// Each page of rules, trust and the server itself, as it is on a desk and on a phone.
import { look, open, scenario, signIn } from './harness.mjs';

const PAGES = [
  ['/profiles', 'profiles', 'printers-hq'],
  ['/certificates?days=36525', 'certificates', 'EAP-TLS'],
  ['/certificates?tab=issued', 'certificates-issued', 'No certificate was issued here'],
  ['/posture', 'posture', 'printer-1'],
  ['/posture?tab=asked', 'posture-asked', 'disk_encryption'],
  ['/signals', 'signals', 'ids alert'],
  ['/signals?tab=risk', 'risk', 'printer-0'],
  ['/playbooks?tab=contained', 'playbooks-contained', 'Nobody is in quarantine'],
  ['/shared-signals', 'shared-signals', 'Nobody tells us anything'],
  ['/settings', 'settings', 'data_dir'],
  ['/settings?tab=storage', 'storage', 'decision'],
  ['/operators', 'operators', 'olga'],
  ['/tokens', 'tokens', 'siem'],
  ['/webhooks', 'webhooks', 'chat'],
];

await scenario(async (page) => {
  await signIn(page);
  for (const [path, name, text] of PAGES) {
    await open(page, path);
    await page.getByText(text).first().waitFor();
    await look(page, name);
  }
  // What stands in a signal is text, whatever it looks like.
  await open(page, '/signals');
  await page.locator('.as-link').first().click();
  await page.getByRole('dialog').getByText('<b>behaviour</b>').waitFor();
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${JSON.parse(process.argv[2]).shots}/console-signal.png` });
  await page.getByRole('dialog').getByRole('button', { name: 'Dismiss' }).click();
  const sure = page.getByRole('dialog').filter({ hasText: 'Dismiss this signal?' });
  await sure.getByLabel('Why').fill('a false alarm');
  await sure.getByRole('button', { name: 'Dismiss' }).click();
  await page.getByText('The signal is dismissed').waitFor();
  // Dialogs that make something.
  for (const [path, button, name] of [['/profiles', 'New profile', 'profile-new'], ['/operators', 'Invite an operator', 'operator-new'], ['/tokens', 'New token', 'token-new'], ['/webhooks', 'New webhook', 'webhook-new']]) {
    await open(page, path);
    await page.getByRole('button', { name: button }).click();
    await page.getByRole('dialog').waitFor();
    await page.waitForTimeout(250);
    await look(page, name);
  }
  return {};
});
