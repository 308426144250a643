import { page } from '../../app/page';
import { certificates } from '../../texts/certificates';

export default page({
  path: '/certificates',
  title: certificates.title,
  nav: { section: 'trust', order: 10, icon: 'certificate' },
  permission: 'inventory:read',
  load: () => import('./certificates'),
});
