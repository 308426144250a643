import { page } from '../../app/page';
import { endpoints } from '../../texts/endpoints';

export default [
  page({ path: '/endpoints', title: endpoints.title, nav: { section: 'inventory', order: 20, icon: 'endpoint' }, permission: 'network:read', load: () => import('./list') }),
  page({ path: '/endpoints/$id', title: endpoints.title, permission: 'network:read', load: () => import('./endpoint') }),
];
