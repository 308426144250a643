import { page } from '../../app/page';
import { audit } from '../../texts/audit';

export default page({
  path: '/audit',
  title: audit.title,
  nav: { section: 'trust', order: 50, icon: 'audit' },
  permission: 'audit:read',
  load: () => import('./audit'),
});
