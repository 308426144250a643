import { useQuery } from '@tanstack/react-query';
import { api, ask } from '../../api/client';
import type { Named } from '../../api/objects';
import type { Book } from './draft';

/// The playbooks that the server comes with: they can be put as they are, or changed first.
export const useShipped = () => useQuery({ queryKey: ['playbooks', 'shipped'], queryFn: async () => (await ask<unknown>(api.GET('/api/v1/playbooks/shipped'))) as Named<Book>[], staleTime: Infinity });
