import { page } from '../../app/page';
import { policy } from '../../texts/policy';

export default page({
  path: '/policy',
  title: policy.title,
  nav: { section: 'rules', order: 10, icon: 'policy' },
  permission: 'policy:read',
  load: () => import('./policy'),
});
