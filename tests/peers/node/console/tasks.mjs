// What an operator does all day: finds out why a laptop failed, who had an address yesterday, puts an agent in quarantine
// and lets it out again. What is told to the server by whoever wants to is shown, and never run.
import assert from 'node:assert/strict';
import { accessible, confirm, look, open, origin, scenario, settled, shots, signIn, told } from './harness.mjs';

const until = (page, text) => page.getByText(text).first().waitFor();

/// Opens what the box for everything finds first, by the keyboard alone.
async function find(page, text) {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Search' }).fill(text);
  await page.locator('.palette-choice').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('[role=dialog] .mantine-Loader-root'));
}

await scenario(async (page) => {
  await signIn(page);

  // Why did that laptop fail? From the overview to its story.
  await open(page, '/');
  await until(page, 'The certificate of the device, or of a CA above it, is past its validity');
  await look(page, 'overview');
  // Each principle is a number that leads to what lies behind it.
  for (const principle of ['Verify explicitly', 'Least privilege', 'Assume breach', 'Validate continuously']) {
    const tile = page.getByRole('link', { name: principle });
    await tile.click();
    await settled(page);
    assert.notEqual(new URL(page.url()).pathname, '/', `${principle} leads nowhere`);
    assert.equal(await page.getByText('There is no such page').count(), 0, `${principle} leads to no page`);
    await page.goBack();
    await settled(page);
  }
  await page.getByRole('link', { name: /past its validity/ }).click();
  await settled(page);
  await page.waitForURL('**/decisions?reason=certificate_expired');
  await page.getByRole('row').filter({ hasText: 'rejected' }).first().click();
  await until(page, 'Login of');
  await settled(page);
  await page.getByTestId('verdict').getByText('past its validity').waitFor();
  await page.getByTestId('remedy').getByText('Renew the certificate').waitFor();
  await look(page, 'login-failed');

  // All that happened, live; another login by its MAC address, in the spelling of a switch.
  await open(page, '/decisions');
  await until(page, 'anna-laptop');
  await look(page, 'logins');
  await find(page, told.mac.replaceAll('-', '').replace(/(....)(....)(....)/, '$1.$2.$3'));
  await page.getByText('read as a MAC address').waitFor();
  await accessible(page, 'search');
  await page.screenshot({ path: `${shots}/console-search.png` });
  await page.keyboard.press('Escape');
  await page.getByRole('row').filter({ hasText: 'anna-laptop' }).first().click();
  await until(page, 'Login of anna-laptop');
  await until(page, 'The policy in force would decide the same.');
  await page.getByRole('button', { name: /packet by packet/ }).click();
  for (const carried of ['identity', 'TLS fragment', 'EAP-Success']) await page.getByTestId('packets').getByText(carried).first().waitFor();
  await page.getByLabel('A VLAN or a profile that you expected').fill('VLAN 50');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByTestId('why-not').getByText('Rule agents would grant it, but').waitFor();
  await look(page, 'login');

  // Who had an address yesterday at 14:05?
  const day = new Date(told.day * 1000).toISOString().slice(0, 10);
  await open(page, '/who?ip=10.9.8.7');
  await page.getByText('Nobody, as far as is known').waitFor();
  await page.locator('[name=at]').fill(`${day}T14:05`);
  await page.getByRole('button', { name: 'Find' }).click();
  const row = page.getByRole('row').filter({ hasText: 'visitor' });
  await row.waitFor();
  assert.match(await row.innerText(), /02-00-5E-77-00-01/);
  await look(page, 'who');
  await row.click();
  await until(page, 'Session of visitor');
  await look(page, 'session');

  // An agent into quarantine, and out again.
  await find(page, 'coder');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'coder-1' }).waitFor();
  await page.getByTestId('session').filter({ hasText: 'agents' }).first().waitFor();
  await page.getByRole('button', { name: 'Quarantine', exact: true }).click();
  await page.getByRole('dialog').locator('[name=secs]').selectOption('28800');
  assert.match(await confirm(page, 'Quarantine', 'it sends mail by night'), /coder-1/);
  const contained = page.getByTestId('containment');
  await contained.filter({ hasText: 'it sends mail by night' }).filter({ hasText: 'anna' }).filter({ hasText: /in [78] h/ }).waitFor();
  await look(page, 'identity-quarantined');
  await open(page, '/changes');
  await page.getByRole('row').filter({ hasText: 'coder-1' }).filter({ hasText: 'done' }).first().waitFor();
  await look(page, 'changes');
  await find(page, 'coder');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Release from quarantine' }).click();
  await confirm(page, 'Release from quarantine', 'it was a test');
  await page.getByTestId('quarantined').waitFor({ state: 'detached' });

  // A session that goes on is asked to log in again.
  await open(page, '/sessions?live=true');
  await page.getByRole('row').filter({ hasText: 'anna-laptop' }).first().waitFor();
  await look(page, 'sessions');
  await open(page, '/sessions/map');
  await until(page, 'hq');
  await look(page, 'map');
  await page.getByRole('link', { name: /camera-1/ }).click();
  await until(page, 'Session of camera-1');
  await page.getByRole('button', { name: 'Have it authenticate again' }).click();
  await confirm(page, 'Have it authenticate again', 'to see');
  await page.getByTestId('changes').getByText('done').first().waitFor();

  // What is seen and known to nobody is adopted.
  await open(page, '/endpoints?known=false');
  await page.getByRole('row').filter({ hasText: '00-01-E6-00-00-01' }).waitFor();
  await look(page, 'endpoints');
  await page.getByRole('link', { name: 'Adopt 00-01-E6-00-00-01' }).click();
  await page.getByLabel('Name').fill('printer-9');
  await page.getByLabel('Owner').fill('ben');
  await page.getByLabel('Purpose').fill('prints');
  await look(page, 'adopt');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'printer-9' }).waitFor();
  await page.getByRole('cell', { name: 'mac 00-01-E6-00-00-01', exact: true }).waitFor();

  // A table is imported when it was seen what it does; a line that cannot be read is named.
  await open(page, '/identities/import');
  await page.locator('[name=table]').fill('kind,name,owner,purpose\ndevice,,ben,scans');
  await page.getByTestId('wrong').getByText('Line 2: name is missing').waitFor();
  await page.locator('[name=table]').fill('kind,name,owner,purpose\ndevice,scanner-1,ben,scans\ndevice,printer-9,ben,prints in colour');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByTestId('plan').getByText('2 would be made or changed').waitFor();
  await look(page, 'import');
  await page.getByRole('button', { name: 'Import 2' }).click();
  await page.getByRole('row').filter({ hasText: 'scanner-1' }).waitFor();

  // What a stranger said is shown as it was said.
  await open(page, '/identities');
  await page.getByText('<img src=x').first().waitFor();
  await look(page, 'identities');
  await open(page, `/identities/${told.hostile}`);
  await look(page, 'identity');
  await open(page, '/decisions');
  await page.getByText('<img src=x').first().waitFor();
  await page.getByRole('row').filter({ hasText: '<img src=x' }).first().click();
  await page.getByRole('heading', { name: /<img src=x/ }).waitFor();
  await find(page, '<img');
  await page.keyboard.press('Escape');

  // Nothing of the inventory is to be had for who may not change it, and the page says why.
  await page.getByRole('button', { name: /Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.waitForURL(`${origin}/sign-in`);
  return { hit: (await page.evaluate(() => globalThis.hit)) ?? null };
});
