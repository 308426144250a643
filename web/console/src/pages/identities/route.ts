import { page } from '../../app/page';
import { identities, identityForm, importing } from '../../texts/identities';

export default [
  page({ path: '/identities', title: identities.title, nav: { section: 'inventory', order: 10, icon: 'identity' }, permission: 'inventory:read', load: () => import('./list') }),
  page({ path: '/identities/new', title: identityForm.create, permission: 'inventory:write', load: () => import('./create') }),
  page({ path: '/identities/import', title: importing.title, permission: 'inventory:write', load: () => import('./import') }),
  page({ path: '/identities/$id', title: identities.title, permission: 'inventory:read', load: () => import('./identity') }),
];
