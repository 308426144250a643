import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { queries } from './query';
import { meQuery } from '../api/me';
import { Missing } from '../ui/missing';
import { ProblemPage } from '../ui/problem';
import { Layout } from './layout';
import { pages } from './pages';
import { parseSearch, stringifySearch } from './search';

const root = createRootRoute({
  component: Layout,
  loader: () => queries.ensureQueryData(meQuery),
  errorComponent: ({ error }) => <ProblemPage error={error} />,
});

const routes = pages.map((page) =>
  createRoute({
    getParentRoute: () => root,
    path: page.path,
    component: lazyRouteComponent(page.load),
    errorComponent: ({ error, reset }) => <ProblemPage error={error} retry={reset} />,
    validateSearch: (search: Record<string, unknown>) => search,
    head: () => ({ meta: [{ title: page.title }] }),
    staticData: { title: page.title, permission: page.permission },
  }),
);

export const router = createRouter({
  routeTree: root.addChildren(routes),
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultNotFoundComponent: Missing,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    title?: string;
    permission?: string;
  }
}
