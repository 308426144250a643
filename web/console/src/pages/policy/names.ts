/// What rules name: groups, sites and profiles.
import { useQuery } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import { objects, type NamedPage } from '../../api/objects';
import { vocabularyOf } from './schema';

/// As many as one answer holds: more are typed by hand.
const MOST = 500;

export function useNames() {
  const query = { params: { query: { limit: MOST } } };
  const names = (data: NamedPage<object> | undefined) => (data?.items ?? []).map((one) => one.name);
  const groups = useQuery({ queryKey: ['groups', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/groups', query))) });
  const sites = useQuery({ queryKey: ['sites', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/sites', query))) });
  const profiles = useQuery({ queryKey: ['profiles', 'names'], queryFn: () => objects<object>(ask<unknown>(api.GET('/api/v1/profiles', query))) });
  return { groups: names(groups.data), sites: names(sites.data), profiles: names(profiles.data) };
}

export function useVocabulary() {
  const schema = useQuery({ queryKey: ['policy', 'schema'], queryFn: () => ask(api.GET('/api/v1/policy/schema', { parseAs: 'text' })), staleTime: Infinity });
  return vocabularyOf(schema.data ?? '');
}
