/// An identity that is chosen by its name.
import { Autocomplete, type AutocompleteProps } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { api, ask, type Schemas } from '../api/client';
import { common } from '../texts/common';

/// How long typing rests before names are looked for, in milliseconds.
const REST_MS = 200;

/// What is found of what was typed, and whom it names.
export function useNamed(name: string) {
  const [rested] = useDebouncedValue(name, REST_MS);
  const found = useQuery({
    queryKey: ['identities', 'names', rested],
    queryFn: () => ask(api.GET('/api/v1/identities', { params: { query: { name: rested, sort: 'name', limit: 10 } } })),
    enabled: rested.length > 0,
    placeholderData: (before) => before,
  });
  const all = found.data?.items ?? [];
  const identity: Schemas['Identity'] | undefined = all.find((one) => one.name === name);
  return { names: [...new Set(all.map((one) => one.name))], identity, missing: name !== '' && rested === name && found.isSuccess && !identity };
}

export function IdentityField({ of, ...rest }: Omit<AutocompleteProps, 'data'> & { of: ReturnType<typeof useNamed> }) {
  return <Autocomplete name="identity" required {...rest} data={of.names} error={of.missing ? common.noIdentity : undefined} />;
}
