import { page } from '../../app/page';
import { profiles } from '../../texts/profiles';

export default page({
  path: '/profiles',
  title: profiles.title,
  nav: { section: 'rules', order: 20, icon: 'pin' },
  permission: 'inventory:read',
  load: () => import('./profiles'),
});
