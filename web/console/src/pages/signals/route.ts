import { page } from '../../app/page';
import { signals } from '../../texts/signals';

export default page({
  path: '/signals',
  title: signals.title,
  nav: { section: 'trust', order: 30, icon: 'signal' },
  permission: 'network:read',
  load: () => import('./signals'),
});
