import { page } from '../../app/page';
import { playbookForm, playbooks } from '../../texts/playbooks';

export default [
  page({ path: '/playbooks', title: playbooks.title, nav: { section: 'trust', order: 35, icon: 'playbook' }, permission: 'network:read', load: () => import('./playbooks') }),
  page({ path: '/playbooks/new', title: playbookForm.create, permission: 'policy:write', load: () => import('./edit') }),
  page({ path: '/playbooks/$name/edit', title: playbookForm.title, permission: 'policy:write', load: () => import('./edit') }),
];
