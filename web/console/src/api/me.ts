/// Who is signed in, and what they may do.
import { useSuspenseQuery, queryOptions } from '@tanstack/react-query';
import { api, ask } from './client';

export const meQuery = queryOptions({ queryKey: ['me'], queryFn: () => ask(api.GET('/api/v1/me')), staleTime: 60_000 });

/// Who is signed in. `may` tells whether they hold a permission such as `sessions:change`.
export function useMe() {
  const { data } = useSuspenseQuery(meQuery);
  return { ...data, may: (permission: string) => data.permissions.includes(permission) };
}
