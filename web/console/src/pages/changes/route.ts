import { page } from '../../app/page';
import { changes } from '../../texts/changes';

export default page({ path: '/changes', title: changes.title, nav: { section: 'now', order: 35, icon: 'replay' }, permission: 'network:read', load: () => import('./changes') });
