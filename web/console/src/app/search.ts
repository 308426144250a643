/// What is asked for by a page lives in its address, as plain text: `?outcome=reject&nas=sw-1`.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

export type Params = Record<string, string | undefined>;

export const parseSearch = (text: string): Params => Object.fromEntries(new URLSearchParams(text));

export function stringifySearch(params: Record<string, unknown>): string {
  const said = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(said.map(([key, value]) => [key, String(value)])).toString();
  return text ? `?${text}` : '';
}

/// The parameters of the address, and how to change some of them. What is empty is left out.
export function useParameters(): [Params, (changed: Params) => void] {
  const params = useSearch({ strict: false }) as Params;
  const navigate = useNavigate();
  const change = useCallback((changed: Params) => {
    void navigate({ to: '.', replace: true, search: ((now: Params) => ({ ...now, ...changed })) as never });
  }, [navigate]);
  return [params, change];
}
