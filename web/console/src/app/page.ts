/// What a page tells the console about itself. Each folder of `src/pages` has a `route.ts` whose default is one or
/// several of these; nothing else needs to know of it.
import type { ComponentType } from 'react';
import type { IconName } from '../ui/icons';

/// Parts of the navigation, in their order.
export const SECTIONS = ['now', 'inventory', 'rules', 'trust', 'server'] as const;
export type Section = (typeof SECTIONS)[number];

export interface Page {
  /// Its address, such as `/sessions` or `/sessions/$id`.
  path: string;
  /// What stands in the title of the window.
  title: string;
  /// Its entry in the navigation, if it has one.
  nav?: { section: Section; order: number; icon: IconName; label?: string };
  /// What one must be allowed to, to see it.
  permission?: string;
  /// The code, which is loaded when it is wanted.
  load: () => Promise<{ default: ComponentType }>;
}

export const page = (it: Page): Page => it;
