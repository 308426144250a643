import { Button, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ask } from '../../api/client';
import { useParameters } from '../../app/search';
import { certificates as texts } from '../../texts/certificates';
import { Act } from '../../ui/act';
import { Empty } from '../../ui/empty';
import { Facts } from '../../ui/facts';
import { PageFrame } from '../../ui/heading';
import '../../ui/lists.css';
import { Panel } from '../../ui/panel';
import { saveText } from '../../ui/save';
import { Time } from '../../ui/time';
import { Calendar } from './calendar';
import './certificates.css';
import { Issue } from './issue';
import { Issued } from './issued';

function Authority() {
  const query = useQuery({ queryKey: ['ca'], queryFn: () => ask(api.GET('/api/v1/ca')), retry: false });
  if (query.isError) return <Empty title={texts.noCa}>{query.error.message}</Empty>;
  const ca = query.data;
  return ca && (
    <Panel title={texts.caFacts} actions={<Button variant="default" size="compact-sm" onClick={() => saveText('ca.pem', ca.certificate)}>{texts.caDownload}</Button>}>
      <Facts of={[[texts.subject, ca.subject], [texts.until, <Time at={ca.not_after} exact key="u" />]]} />
      <Text size="sm" c="dimmed" mt="xs">{texts.caHint}</Text>
    </Panel>
  );
}

export default function Certificates() {
  const [params, change] = useParameters();
  const [issuing, setIssuing] = useState(false);
  const tab = params.tab ?? (params.serial ? 'issued' : 'calendar');
  return (
    <PageFrame title={texts.title} hint={texts.hint} actions={<Act permission="certificates:write" icon="plus" onClick={() => setIssuing(true)}>{texts.issue}</Act>}>
      <Tabs value={tab} onChange={(to) => change({ tab: to ?? undefined, q: undefined, serial: undefined, revoked: undefined })} keepMounted={false}>
        <Tabs.List mb="sm">{Object.entries(texts.tabs).map(([value, label]) => <Tabs.Tab key={value} value={value}>{label}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="calendar"><Calendar /></Tabs.Panel>
        <Tabs.Panel value="issued"><Issued /></Tabs.Panel>
        <Tabs.Panel value="ca"><Authority /></Tabs.Panel>
      </Tabs>
      {issuing && <Issue close={() => setIssuing(false)} begin={params.identity} />}
    </PageFrame>
  );
}
