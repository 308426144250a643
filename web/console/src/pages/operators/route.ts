import { page } from '../../app/page';
import { operators } from '../../texts/access';

export default page({
  path: '/operators',
  title: operators.title,
  nav: { section: 'server', order: 20, icon: 'operator' },
  permission: 'operators:read',
  load: () => import('./operators'),
});
