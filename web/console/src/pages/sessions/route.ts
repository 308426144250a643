import { page } from '../../app/page';
import { map, session, sessions } from '../../texts/sessions';

export default [
  page({ path: '/sessions', title: sessions.title, nav: { section: 'now', order: 30, icon: 'sessions' }, permission: 'network:read', load: () => import('./list') }),
  page({ path: '/sessions/map', title: map.title, nav: { section: 'now', order: 31, icon: 'map' }, permission: 'network:read', load: () => import('./map') }),
  page({ path: '/sessions/$id', title: session.title(''), permission: 'network:read', load: () => import('./session') }),
];
