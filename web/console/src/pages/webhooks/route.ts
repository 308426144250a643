import { page } from '../../app/page';
import { webhooks } from '../../texts/access';

export default page({
  path: '/webhooks',
  title: webhooks.title,
  nav: { section: 'server', order: 40, icon: 'webhook' },
  permission: 'settings:read',
  load: () => import('./webhooks'),
});
