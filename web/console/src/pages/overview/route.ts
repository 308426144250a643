import { page } from '../../app/page';
import { overview } from '../../texts/overview';

export default page({
  path: '/',
  title: overview.title,
  nav: { section: 'now', order: 10, icon: 'overview' },
  load: () => import('./overview'),
});
