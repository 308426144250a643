import { page } from '../../app/page';
import { reports } from '../../texts/reports';

export default page({
  path: '/reports',
  title: reports.title,
  nav: { section: 'trust', order: 60, icon: 'report' },
  permission: 'network:read',
  load: () => import('./reports'),
});
