import { page } from '../../app/page';
import { nas } from '../../texts/nas';

export default [
  page({ path: '/nas', title: nas.title, nav: { section: 'inventory', order: 30, icon: 'nas' }, permission: 'network:read', load: () => import('./list') }),
  page({ path: '/nas/new', title: nas.createTitle, permission: 'gear:write', load: () => import('./create') }),
  page({ path: '/nas/$name', title: nas.title, permission: 'network:read', load: () => import('./device') }),
];
