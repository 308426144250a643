import { page } from '../../app/page';
import { tokens } from '../../texts/access';

export default page({
  path: '/tokens',
  title: tokens.title,
  nav: { section: 'server', order: 30, icon: 'token' },
  permission: 'operators:read',
  load: () => import('./tokens'),
});
