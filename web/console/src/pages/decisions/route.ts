import { page } from '../../app/page';
import { decisions, story } from '../../texts/decisions';

export default [
  page({
    path: '/decisions',
    title: decisions.title,
    nav: { section: 'now', order: 20, icon: 'stream' },
    permission: 'network:read',
    load: () => import('./list'),
  }),
  page({ path: '/decisions/$id', title: story.title(''), permission: 'network:read', load: () => import('./story') }),
];
