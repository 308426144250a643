import { page } from '../../app/page';
import { shared } from '../../texts/shared';

export default page({
  path: '/shared-signals',
  title: shared.title,
  nav: { section: 'trust', order: 40, icon: 'webhook' },
  permission: 'settings:read',
  load: () => import('./shared'),
});
