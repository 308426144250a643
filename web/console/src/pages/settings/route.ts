import { page } from '../../app/page';
import { settings } from '../../texts/settings';

export default page({
  path: '/settings',
  title: settings.title,
  nav: { section: 'server', order: 10, icon: 'settings' },
  permission: 'settings:read',
  load: () => import('./settings'),
});
