// Printers of one site move to another VLAN: a rule, whom it would hit, in force, and back.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { look, open, scenario, signIn, told } from './harness.mjs';

/// The VLAN that a printer gets now.
function vlan(n, from = '127.0.0.1') {
  const mac = `02-00-5E-70-00-0${n}`;
  const { stdout } = spawnSync('radclient', ['-x', '-t', '2', '-r', '2', `127.0.0.1:${told.auth}`, 'auth', told.secret], {
    input: `User-Name="${mac}", User-Password="${mac}", Service-Type=Call-Check, Calling-Station-Id="${mac}", NAS-Port-Type=Ethernet, NAS-Port-Id="1/0/${n}", Packet-Src-IP-Address=${from}, Message-Authenticator=0x00`,
    encoding: 'utf8',
  });
  return /Tunnel-Private-Group-Id:0 = "(\w+)"/.exec(stdout)?.[1] ?? stdout;
}

const tab = (page, name) => page.getByRole('tab', { name }).click();
const valid = (page, is = 'true') => page.locator(`[data-testid=checked][data-valid=${is}]:not([data-busy])`).waitFor();

await scenario(async (page) => {
  await signIn(page);
  await open(page, '/policy');
  await page.getByRole('row').filter({ hasText: 'printers' }).waitFor();

  // A new rule, put together from what there is.
  await page.getByRole('button', { name: 'New rule' }).click();
  const form = page.getByRole('dialog');
  await form.locator('[name=id]').fill('printers-hq');
  await form.locator('[name=group]').fill('printers');
  await form.locator('[name=site]').selectOption('hq');
  await form.locator('[name=method]').selectOption('mab');
  await form.locator('[name=profile]').selectOption('printers-hq');
  await form.locator('[name=order]').fill('35');
  await form.getByRole('button', { name: 'Add to the draft' }).click();
  await form.waitFor({ state: 'hidden' });
  await page.getByText('This is a draft').waitFor();
  await valid(page);
  const orders = await page.locator('td.num').allInnerTexts();
  assert.deepEqual(orders, ['35', '40']);
  await look(page, 'policy-rules');

  // As text: what rules may speak of, and what is wrong, as one types.
  await tab(page, 'Cedar');
  const editor = page.getByRole('textbox', { name: 'Cedar text of the policy' });
  await editor.waitFor();
  await look(page, 'policy-text');
  await editor.press('Control+End');
  await editor.pressSequentially('\nforbid (principal, action, resource) when { context.ri');
  await page.locator('.cm-tooltip-autocomplete').getByText('risk', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await valid(page, 'false');
  await page.locator('.cm-lint-marker-error').first().waitFor();
  await page.screenshot({ path: `${JSON.parse(process.argv[2]).shots}/console-policy-error.png` });
  await editor.press('Control+Home');
  const typed = 'forbid (principal, action, resource) when { context.ri'.length + 1;
  await editor.press('Control+End');
  for (let n = 0; n < typed + 4; n += 1) await editor.press('Control+z');
  await page.waitForFunction(() => !document.querySelector('.cm-content')?.textContent.includes('context.ri'));
  if (!(await editor.innerText()).includes('printers-hq')) await editor.press('Control+Shift+z');
  await valid(page);

  // Whom it would hit, before it is in force.
  await tab(page, 'What would change');
  const flow = page.getByTestId('flow');
  await flow.filter({ hasText: 'printers becomes printers-hq: 3 identities' }).waitFor();
  for (const n of [0, 1, 2]) await flow.getByText(`printer-${n}`).waitFor();
  assert.equal(await flow.getByText('printer-3').count(), 0);
  await look(page, 'policy-diff');
  assert.equal(vlan(0), '30', 'a draft decides nothing');

  await page.getByRole('button', { name: 'Activate', exact: true }).click();
  const sure = page.getByRole('dialog');
  await sure.getByTestId('hits').getByText('printers becomes printers-hq: 3').waitFor();
  await sure.getByLabel('Why').fill('printers of hq have a VLAN of their own');
  await page.screenshot({ path: `${JSON.parse(process.argv[2]).shots}/console-policy-activate.png` });
  await sure.getByRole('button', { name: 'Activate', exact: true }).click();
  await page.getByText(/Revision \d+ is in force/).first().waitFor();
  const vlans = [vlan(0), vlan(3, '127.0.0.2')];

  await tab(page, 'History');
  await page.getByTestId('revision').first().getByText('in force').waitFor();
  await look(page, 'policy-history');
  await page.getByRole('button', { name: 'Roll back' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await page.getByTestId('revision').nth(1).getByText('in force', { exact: true }).waitFor();
  vlans.push(vlan(0));

  await tab(page, 'Tests');
  await page.getByText('No tests yet').waitFor();
  await look(page, 'policy-tests');
  await tab(page, 'Proposals');
  await look(page, 'policy-proposals');
  return { vlans };
});
