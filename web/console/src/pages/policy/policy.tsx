/// The policy: as a table, as text, its tests, what a draft would change, and its history.
import { Alert, Button, Stack, Tabs, Text } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useParameters } from '../../app/search';
import { common } from '../../texts/common';
import { policy as texts } from '../../texts/policy';
import { Act } from '../../ui/act';
import { useConfirm } from '../../ui/confirm';
import { Empty } from '../../ui/empty';
import { PageFrame } from '../../ui/heading';
import { Icon } from '../../ui/icons';
import { ProblemAlert } from '../../ui/problem';
import { Tag } from '../../ui/tag';
import { Activate } from './activate';
import { AddRule } from './add';
import { CheckedFaults, CheckedState, marksOf, useChecked, type Checked } from './checked';
import { Diff } from './diff';
import { useDraft, usePolicy } from './draft';
import { History } from './history';
import { useNames, useVocabulary } from './names';
import '../../ui/lists.css';
import './policy.css';
import { Proposals } from './proposals';
import { without, type Rule } from './rules';
import { RuleTable } from './table';

const Editor = lazy(() => import('./editor'));

function TestResults({ checked }: { checked: Checked | undefined }) {
  if (!checked || checked.tests.length === 0) return <Empty title={texts.noTests}>{texts.noTestsHint}</Empty>;
  return (
    <ul className="plain">
      {checked.tests.map((test) => (
        <li key={test.name}><Tag tone={test.passed ? 'ok' : 'bad'}>{test.passed ? texts.passes : texts.fails}</Tag> {test.name} {test.failure && <Text size="sm" c="dimmed">{test.failure}</Text>}</li>
      ))}
    </ul>
  );
}

export default function Policy() {
  const [params, change] = useParameters();
  const confirm = useConfirm();
  const query = usePolicy();
  const draft = useDraft(query.data);
  const { checked, busy } = useChecked(draft.text, draft.tests);
  const names = useNames();
  const vocabulary = useVocabulary();
  const [adding, setAdding] = useState(false);
  const [line, setLine] = useState<number>();
  const tab = params.tab ?? 'rules';
  const show = (to: string) => change({ tab: to === 'rules' ? undefined : to });
  const edit = (rule: Rule) => { setLine(rule.line); show('text'); };
  const policy = query.data;
  const waiting = <Text size="sm" c="dimmed">{common.loading}</Text>;
  return (
    <PageFrame title={texts.title} hint={texts.hint} actions={<>
      <Act permission="policy:read" icon="plus" onClick={() => setAdding(true)}>{texts.add}</Act>
      {policy?.home !== 'file' && <Activate draft={draft} valid={checked?.valid === true && !busy} />}
    </>}>
      <ProblemAlert error={query.error} retry={() => void query.refetch()} />
      <Stack gap="sm">
        {policy && <Text size="sm" c="dimmed">{texts.inForce(policy.revision, policy.digest)}</Text>}
        {policy && texts.home[policy.home] && <Alert color="blue" icon={<Icon name="policy" />}>{texts.home[policy.home]}</Alert>}
        {draft.isDraft && (
          <div className="draft-bar">
            <span>{texts.draft}</span>
            <CheckedState checked={checked} busy={busy} />
            <Button size="compact-sm" variant="default" onClick={async () => { if (await confirm({ title: texts.discardTitle, body: texts.discardBody, action: texts.discard, danger: true })) draft.discard(); }}>{texts.discard}</Button>
          </div>
        )}
        <CheckedFaults checked={checked} />
      </Stack>
      <Tabs value={tab} onChange={(to) => show(to ?? 'rules')} mt="sm" keepMounted={false}>
        <div className="tabs-scroll">
          <Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List>
        </div>
        <Tabs.Panel value="rules"><RuleTable text={draft.text} edit={edit} remove={(rule) => draft.set({ text: without(draft.text, rule) })} /></Tabs.Panel>
        <Tabs.Panel value="text">
          <Suspense fallback={waiting}><Editor label={texts.editor} language="cedar" text={draft.text} set={(text) => draft.set({ text })} marks={marksOf(checked, 'policy')} known={{ ...names, vocabulary }} line={line} /></Suspense>
          <Text size="xs" c="dimmed" mt={4}>{texts.editorHint}</Text>
        </Tabs.Panel>
        <Tabs.Panel value="tests">
          <Stack gap="sm">
            <TestResults checked={checked} />
            <Suspense fallback={waiting}><Editor label={texts.testsEditor} language="toml" text={draft.tests} set={(tests) => draft.set({ tests })} marks={marksOf(checked, 'tests')} /></Suspense>
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="diff"><Diff text={draft.text} isDraft={draft.isDraft} /></Tabs.Panel>
        <Tabs.Panel value="history"><History draft={draft} toText={() => show('text')} /></Tabs.Panel>
        <Tabs.Panel value="proposals"><Proposals draft={draft} toDiff={() => show('diff')} /></Tabs.Panel>
      </Tabs>
      {adding && <AddRule text={draft.text} close={() => setAdding(false)} add={(text) => draft.set({ text })} />}
    </PageFrame>
  );
}
