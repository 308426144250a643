/// The rules as an ordered table.
import { ActionIcon, Alert, Group, Tooltip } from '@mantine/core';
import { policy as texts } from '../../texts/policy';
import { Empty } from '../../ui/empty';
import { Icon } from '../../ui/icons';
import { Tag } from '../../ui/tag';
import { rulesOf, scopeText, type Rule } from './rules';

export function RuleTable({ text, edit, remove }: { text: string; edit: (rule: Rule) => void; remove?: (rule: Rule) => void }) {
  const rules = rulesOf(text);
  if (!rules) return <Alert color="red" icon={<Icon name="warning" />}>{texts.unreadable}</Alert>;
  if (rules.length === 0) return <Empty title={texts.noRules}>{texts.noRulesHint}</Empty>;
  return (
    <table className="rule-table">
      <thead>
        <tr>
          <th scope="col">{texts.order}</th><th scope="col">{texts.rule}</th><th scope="col">{texts.effect}</th><th scope="col">{texts.who}</th>
          <th scope="col">{texts.where}</th><th scope="col">{texts.when}</th><th scope="col">{texts.profile}</th><th aria-hidden="true" />
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => (
          <tr key={`${rule.from}`}>
            <td className="num">{rule.order || '-'}</td>
            <td><b>{rule.id || `line ${rule.line}`}</b></td>
            <td><Tag tone={rule.effect === 'permit' ? 'ok' : 'bad'}>{texts[rule.effect]}</Tag></td>
            <td className="wide" data-name={texts.who}>{scopeText(rule.principal) || texts.anybody}</td>
            <td className="wide" data-name={texts.where}>{scopeText(rule.resource) || texts.anywhere}</td>
            <td className="wide when" data-name={texts.when}>{rule.conditions.join(' && ') || texts.always}</td>
            <td className="wide" data-name={texts.profile}>{rule.profile || '-'}</td>
            <td className="ends">
              <Group gap={4} justify="flex-end" wrap="nowrap">
                <Tooltip label={texts.edit(rule.id)}><ActionIcon variant="subtle" color="gray" aria-label={texts.edit(rule.id)} onClick={() => edit(rule)}><Icon name="edit" size={14} /></ActionIcon></Tooltip>
                {remove && <Tooltip label={texts.remove(rule.id)}><ActionIcon variant="subtle" color="gray" aria-label={texts.remove(rule.id)} onClick={() => remove(rule)}><Icon name="trash" size={14} /></ActionIcon></Tooltip>}
              </Group>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
