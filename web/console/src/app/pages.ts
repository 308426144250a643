/// All pages, gathered from their folders.
import type { Page } from './page';

const found = import.meta.glob<{ default: Page | Page[] }>('../pages/*/route.ts', { eager: true });
export const pages: Page[] = Object.values(found).flatMap((module) => module.default);
