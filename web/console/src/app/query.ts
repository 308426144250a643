/// How answers are kept, and what is told when a change fails.
import { MutationCache, QueryClient } from '@tanstack/react-query';
import { Problem } from '../api/client';
import { tellProblem } from '../ui/tell';

/// How long an answer is shown before it is asked for again when its page is opened, in milliseconds.
const FRESH_MS = 5_000;
/// How often is tried what failed by the network, not by a refusal.
const TRIES = 2;

export const queries = new QueryClient({
  mutationCache: new MutationCache({
    // A form that shows its own problems says so by `meta: { shown: true }`.
    onError: (error, _variables, _context, mutation) => { if (!mutation.meta?.shown) tellProblem(error); },
  }),
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      retry: (count, error) => count < TRIES && error instanceof Problem && (error.status === 0 || error.status === 503),
    },
  },
});
