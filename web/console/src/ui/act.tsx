/// A button for what not everybody may do: who may not sees it, cannot press it, and is told why.
import { Button, Tooltip, type ButtonProps } from '@mantine/core';
import { useMe } from '../api/me';
import { common } from '../texts/common';
import { Icon, type IconName } from './icons';

interface Props extends ButtonProps {
  permission: string | string[];
  onClick?: () => void;
  icon?: IconName;
  children: React.ReactNode;
  type?: 'button' | 'submit';
  why?: string;
}

export function Act({ permission, icon, why, children, disabled, ...rest }: Props) {
  const me = useMe();
  const all = typeof permission === 'string' ? [permission] : permission;
  const allowed = all.some(me.may);
  const barred = allowed ? why : common.mayNot(all[0] ?? '', me.roles);
  const button = (
    <Button variant="default" leftSection={icon && <Icon name={icon} size={14} />} {...rest} disabled={disabled && !barred} data-disabled={barred ? true : undefined} aria-disabled={barred ? true : undefined} onClick={barred ? (e: React.MouseEvent) => e.preventDefault() : rest.onClick}>
      {children}
    </Button>
  );
  return barred ? <Tooltip label={barred}>{button}</Tooltip> : button;
}
