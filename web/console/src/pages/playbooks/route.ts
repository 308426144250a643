import { page } from '../../app/page';
import { playbooks } from '../../texts/playbooks';

export default page({
  path: '/playbooks',
  title: playbooks.title,
  nav: { section: 'trust', order: 35, icon: 'playbook' },
  permission: 'network:read',
  load: () => import('./playbooks'),
});
