// A playbook from its template to its end: written as a form and as text, drilled, let loose on a signal, held, carried out,
// taken back, stopped and deleted.
import assert from 'node:assert/strict';
import { confirm, look, open, scenario, settled, signIn, told } from './harness.mjs';

const REASON = 'seen by two people';

/// Tells the server of a signal, as a gateway does.
const signal = (page, detail) => page.evaluate(async ([identity, detail]) => (await fetch('/api/v1/signals', {
  method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Cordon-CSRF': '1' },
  body: JSON.stringify({ signals: [{ kind: 'prompt_injection', severity: 'high', detail, identity, topic: detail }] }),
})).status, [told.agent, detail]);

await scenario(async (page) => {
  await signIn(page);
  await open(page, '/playbooks?tab=books');
  await page.getByText('No playbook yet').waitFor();
  await page.getByRole('button', { name: 'Begin with one that comes with the server' }).click();
  await page.getByRole('menuitem', { name: /^prompt-injection/ }).click();
  await page.waitForURL('**/playbooks/new?from=prompt-injection');
  await settled(page);
  assert.equal(await page.inputValue('[name=name]'), 'prompt-injection');
  assert.equal(await page.inputValue('[name=mode]'), 'dry_run');
  await look(page, 'playbook-new');

  // What the server does not take stands at its field, in the form and in the text.
  await page.fill('[name=max_percent]', '200');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('give 1 to 100').first().waitFor();
  assert.equal(await page.locator('[name=max_percent]').getAttribute('aria-invalid'), 'true');
  await page.getByText('Text (JSON)').click();
  await page.getByRole('alert').filter({ hasText: /^Line \d+: max_percent is 200/ }).waitFor();
  await look(page, 'playbook-text');
  await page.getByText('Form', { exact: true }).click();
  await page.fill('[name=max_percent]', '50');
  await page.fill('[name=title-1]', 'Text that turns an agent');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL('**/playbooks?tab=books');
  const book = page.getByRole('region', { name: 'prompt-injection' });
  await book.getByText('Open a case (Text that turns an agent)').waitFor();

  // A dry run says what it would do.
  assert.equal(await signal(page, 'first'), 200);
  await open(page, '/playbooks');
  await page.getByRole('row').filter({ hasText: 'coder-1' }).filter({ hasText: 'rehearsed' }).first().waitFor();

  // A drill does it, and is taken back; how long each part took is a table.
  await open(page, '/playbooks?tab=books');
  await book.getByRole('button', { name: 'Drill' }).click();
  const dialog = page.getByRole('dialog', { name: 'Drill of prompt-injection' });
  await dialog.locator('[name=identity]').fill('coder-1');
  await page.getByRole('option', { name: 'coder-1', exact: true }).click();
  await dialog.getByText('Carry it out').click();
  await dialog.getByTestId('hits').filter({ hasText: 'coder-1' }).waitFor();
  await dialog.getByRole('button', { name: 'Begin the drill' }).click();
  const cells = dialog.getByTestId('drill').locator('tbody tr').first().locator('td');
  await cells.first().waitFor();
  const drill = await cells.allInnerTexts();
  await look(page, 'drill');
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  // Turned on, it contains who the next signal is about.
  await page.getByRole('combobox', { name: 'Mode of prompt-injection' }).selectOption('on');
  await confirm(page, 'Turn it so', REASON);
  await look(page, 'playbook');
  assert.equal(await signal(page, 'second'), 200);
  await open(page, '/playbooks');
  const contained = page.getByRole('row').filter({ hasText: 'coder-1' }).filter({ hasText: 'contained' });
  await contained.first().waitFor();
  await contained.first().getByRole('button', { name: 'coder-1' }).click();
  await page.waitForURL(/[?&]run=/);
  const drawer = page.getByRole('dialog', { name: 'prompt-injection: coder-1' });
  await drawer.getByText('Quarantine', { exact: true }).waitFor();
  await look(page, 'playbook-run');
  await open(page, `/identities/${told.agent}`);
  await page.getByTestId('containment').filter({ hasText: 'prompt-injection' }).first().waitFor();
  await look(page, 'identity-contained');

  // Its case keeps what was known, and what people say of it.
  await open(page, '/playbooks?tab=cases');
  await page.getByRole('button', { name: 'Text that turns an agent' }).first().click();
  await page.getByTestId('evidence').getByText('prompt injection').first().waitFor();
  await page.locator('[name=comment]').fill('The page it read is taken down.');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('dialog').getByText('The page it read is taken down.').first().waitFor();
  await look(page, 'case');
  await page.getByRole('button', { name: 'Close the case' }).click();
  await confirm(page, 'Close the case', 'the text is gone');
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
  await page.getByRole('row').filter({ hasText: 'closed' }).first().waitFor();

  // Taken back by hand.
  await open(page, '/playbooks?state=contained');
  await contained.first().getByRole('button', { name: 'coder-1' }).click();
  await page.getByRole('button', { name: 'Release', exact: true }).click();
  assert.match(await confirm(page, 'Release', REASON), /coder-1/);
  await page.getByText('Nothing fits these filters').waitFor();

  // Stopped, what would begin is held; an operator carries one out all the same.
  await page.getByRole('button', { name: 'Stop all' }).click();
  await confirm(page, 'Stop all', 'a storm of alerts');
  await page.getByText('a storm of alerts').first().waitFor();
  assert.equal(await signal(page, 'third'), 200);
  await open(page, '/playbooks?state=held');
  await page.getByRole('row').filter({ hasText: 'coder-1' }).first().waitFor();
  await look(page, 'playbooks-stopped');
  await page.getByRole('row').filter({ hasText: 'coder-1' }).first().getByRole('button', { name: 'coder-1' }).click();
  await page.getByRole('button', { name: 'Carry it out' }).click();
  await confirm(page, 'Carry it out', REASON);
  await open(page, '/playbooks?state=contained');
  await contained.first().waitFor();
  await page.getByRole('button', { name: 'Go on', exact: true }).click();
  await confirm(page, 'Go on', REASON);
  await page.getByRole('button', { name: 'Stop all' }).waitFor();

  // Deleted; what it has done is taken back on the identity's page.
  await open(page, '/playbooks?tab=books');
  await book.getByRole('button', { name: 'Delete' }).click();
  assert.match(await confirm(page, 'Delete', REASON), /prompt-injection/);
  await page.getByText('No playbook yet').waitFor();
  await open(page, `/identities/${told.agent}`);
  await page.getByRole('button', { name: 'Release from quarantine' }).click();
  await confirm(page, 'Release from quarantine', REASON);
  await page.getByTestId('quarantined').waitFor({ state: 'detached' });
  return { drill };
}, { allowed: ['422 (Unprocessable'] });
