/// Links within the console. Their addresses are text: pages are gathered from folders, not known beforehand.
import { Anchor, type AnchorProps } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Params } from '../app/search';

interface Props extends AnchorProps {
  to: string;
  params?: Record<string, string>;
  search?: Params;
  children: ReactNode;
  'aria-label'?: string;
}

export function To({ to, params, search, children, ...rest }: Props) {
  return (
    <Anchor size="sm" {...rest} renderRoot={(props: object) => <Link {...props} to={to as never} params={params as never} search={(search ?? {}) as never} />}>
      {children}
    </Anchor>
  );
}
