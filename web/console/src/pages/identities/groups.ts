import { useQuery } from '@tanstack/react-query';
import { api, ask } from '../../api/client';

/// The names of all groups, for what completes them.
export function useGroups(): string[] {
  const { data } = useQuery({ queryKey: ['groups'], queryFn: () => ask(api.GET('/api/v1/groups', { params: { query: { limit: 500 } } })) });
  return ((data as { items?: { name: string }[] } | undefined)?.items ?? []).map((group) => group.name);
}
