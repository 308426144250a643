import { page } from '../../app/page';
import { who } from '../../texts/who';

export default page({ path: '/who', title: who.title, nav: { section: 'now', order: 40, icon: 'who' }, permission: 'network:read', load: () => import('./who') });
