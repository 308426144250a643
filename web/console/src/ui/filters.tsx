/// Filters of a list. They live in the address: a link shows another what one sees.
import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import { useParameters, type Params } from '../app/search';
import { common } from '../texts/common';
import { NARROW } from './narrow';
import { useClock } from './time';
import { fromField, toField } from './zoned';

export type Filter =
  | { key: string; label: string; kind: 'text'; placeholder?: string; width?: number }
  | { key: string; label: string; kind: 'select'; options: { value: string; label: string }[]; width?: number }
  | { key: string; label: string; kind: 'time'; width?: number };

/// How long typing rests before the list is asked for, in milliseconds.
const REST_MS = 300;

function TextFilter({ filter, value, set }: { filter: Filter & { kind: 'text' }; value: string; set: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setTyped(value), [value]);
  return (
    <TextInput
      label={filter.label}
      placeholder={filter.placeholder}
      value={typed}
      w={filter.width ?? 150}
      name={filter.key}
      onChange={(e) => {
        const text = e.currentTarget.value;
        setTyped(text);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => set(text.trim()), REST_MS);
      }}
    />
  );
}

export function Filters({ of }: { of: Filter[] }) {
  const [params, change] = useParameters();
  const { zone } = useClock();
  const any = of.some((filter) => params[filter.key]);
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const [all, showAll] = useState(false);
  // On a phone those that are in use, and the first two; the list itself is what one came for.
  const shown = narrow && !all ? of.filter((filter, n) => n < 2 || params[filter.key]) : of;
  return (
    <Group gap="xs" align="flex-end" mb="sm" className="filters" role="search">
      {shown.map((filter) => {
        const value = params[filter.key] ?? '';
        const set = (to: string) => change({ [filter.key]: to || undefined });
        if (filter.kind === 'text') return <TextFilter key={filter.key} filter={filter} value={value} set={set} />;
        if (filter.kind === 'select') {
          return (
            <NativeSelect
              key={filter.key}
              label={filter.label}
              name={filter.key}
              value={value}
              w={filter.width ?? 140}
              data={[{ value: '', label: common.all }, ...filter.options]}
              onChange={(e) => set(e.currentTarget.value)}
            />
          );
        }
        return (
          <TextInput
            key={filter.key}
            label={`${filter.label} (${zone})`}
            name={filter.key}
            step={1}
            type="datetime-local"
            value={value ? toField(value, zone) : ''}
            w={filter.width ?? 200}
            onChange={(e) => set(fromField(e.currentTarget.value, zone) ?? '')}
          />
        );
      })}
      {narrow && !all && shown.length < of.length && <Button variant="subtle" onClick={() => showAll(true)}>{common.moreFilters}</Button>}
      {any && <Button variant="subtle" onClick={() => change(Object.fromEntries(of.map((filter) => [filter.key, undefined])))}>{common.clearFilters}</Button>}
    </Group>
  );
}

/// What a list is asked for: the parameters of the address that its filters know.
export function wanted(params: Params, filters: Filter[]): Params {
  return Object.fromEntries(filters.map(({ key }) => [key, params[key]]).filter(([, value]) => value));
}
