import { page } from '../../app/page';
import { posture } from '../../texts/posture';

export default page({
  path: '/posture',
  title: posture.title,
  nav: { section: 'trust', order: 20, icon: 'posture' },
  permission: 'network:read',
  load: () => import('./posture'),
});
