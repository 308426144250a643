import { page } from '../../app/page';
import { start } from '../../texts/start';

export default page({
  path: '/start',
  title: start.title,
  nav: { section: 'server', order: 90, icon: 'start' },
  permission: 'gear:write',
  load: () => import('./start'),
});
