/// What is around every page.
import { ActionIcon, AppShell, Burger, Button, Group, Kbd, Menu, NavLink, ScrollArea, Text, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { Link, Outlet, useMatches, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { api, ask } from '../api/client';
import { useMe } from '../api/me';
import { common } from '../texts/common';
import { Empty } from '../ui/empty';
import { Icon } from '../ui/icons';
import { localZone, useClock } from '../ui/time';
import { pages } from './pages';
import { SECTIONS } from './page';

const Palette = lazy(() => import('../pages/search/palette'));

/// What is left of the address when its details are: `/sessions/x` lights up `/sessions`.
function lit(path: string, here: string): boolean {
  const under = (one: string) => here === one || (one !== '/' && here.startsWith(`${one}/`));
  return under(path) && !pages.some((page) => page.nav && page.path.length > path.length && under(page.path));
}

function Navigation({ close }: { close: () => void }) {
  const here = useRouterState({ select: (state) => state.location.pathname });
  const me = useMe();
  return (
    <ScrollArea className="nav" component="nav" aria-label={common.menu} type="auto">
      {SECTIONS.map((section) => {
        const within = pages.filter((page) => page.nav?.section === section && (!page.permission || me.may(page.permission)));
        if (within.length === 0) return null;
        within.sort((a, b) => (a.nav?.order ?? 0) - (b.nav?.order ?? 0));
        return (
          <div key={section}>
            <Text className="nav-section">{common.sections[section]}</Text>
            {within.map((page) => page.nav && (
              <NavLink
                key={page.path}
                label={page.nav.label ?? page.title}
                leftSection={<Icon name={page.nav.icon} />}
                active={lit(page.path, here)}
                aria-current={lit(page.path, here) ? 'page' : undefined}
                onClick={close}
                renderRoot={(props: object) => <Link {...props} to={page.path as never} activeOptions={{ exact: true }} activeProps={{}} />}
              />
            ))}
          </div>
        );
      })}
    </ScrollArea>
  );
}

function Person() {
  const me = useMe();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { zone, setZone } = useClock();
  const other = zone === 'UTC' ? localZone : 'UTC';
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton className="person" aria-label={`${common.account}: ${me.name}`}>
          <Icon name="identity" /><Text size="sm" visibleFrom="sm">{me.name}</Text><Icon name="down" size={12} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.name}: {me.roles.join(', ').replaceAll('_', ' ')}{me.sites ? ` (${me.sites.join(', ')})` : ''}</Menu.Label>
        <Menu.Item component="a" href="/sign-in" leftSection={<Icon name="identity" />}>{common.myAccount}</Menu.Item>
        <Menu.Item component="a" href="/api/docs" leftSection={<Icon name="out" />}>{common.apiDocs}</Menu.Item>
        <Menu.Item component="a" href="/assets/licences.txt" leftSection={<Icon name="audit" />}>{common.licences}</Menu.Item>
        <Menu.Divider />
        {(['auto', 'light', 'dark'] as const).map((scheme) => (
          <Menu.Item key={scheme} onClick={() => setColorScheme(scheme)} leftSection={<Icon name={scheme === 'auto' ? 'system' : scheme === 'light' ? 'sun' : 'moon'} />} rightSection={colorScheme === scheme && <Icon name="check" />}>
            {common.scheme[scheme]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        {other !== zone && <Menu.Item leftSection={<Icon name="clock" />} onClick={() => setZone(other)}>{common.zoneSwitch(other)}</Menu.Item>}
        <Menu.Item leftSection={<Icon name="leave" />} onClick={() => void ask(api.POST('/api/v1/sign-out')).then(() => location.assign('/sign-in'))}>{common.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Content() {
  const me = useMe();
  const here = useMatches().at(-1);
  const permission = here?.staticData.permission;
  useEffect(() => {
    // Whoever cannot see the page change is told so, as by a page that loads.
    document.getElementById('page-title')?.focus({ preventScroll: true });
  }, [here?.routeId, here?.pathname]);
  if (permission && !me.may(permission)) return <Empty title={common.pageBarred}>{common.mayNot(permission, me.roles)}</Empty>;
  return <Outlet />;
}

export function Layout() {
  const [menu, { toggle, close }] = useDisclosure(false);
  const [finding, find] = useDisclosure(false);
  const { zone } = useClock();
  // From everywhere, but for a stroke that is text in a field.
  useHotkeys([['mod+K', find.open]], []);
  useHotkeys([['/', find.open]]);
  return (
    <AppShell header={{ height: 48 }} navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !menu } }} padding={0}>
      <a className="skip" href="#page-title" onClick={(e) => { e.preventDefault(); document.getElementById('page-title')?.focus(); }}>{common.skip}</a>
      <AppShell.Header>
        <Group h="100%" px="sm" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={menu} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={common.menu} aria-expanded={menu} />
            <Link to={'/' as never} className="brand"><Icon name="posture" size={20} /><span>{common.product}</span></Link>
          </Group>
          <Button variant="default" className="find" leftSection={<Icon name="search" size={14} />} rightSection={<Kbd size="xs" visibleFrom="sm">Ctrl K</Kbd>} onClick={find.open} visibleFrom="xs" justify="space-between">
            <Text size="xs" c="dimmed">{common.searchHint}</Text>
          </Button>
          <Group gap="sm" wrap="nowrap">
            <ActionIcon variant="subtle" color="gray" hiddenFrom="xs" aria-label={common.search} onClick={find.open}><Icon name="search" /></ActionIcon>
            <Text size="xs" c="dimmed" visibleFrom="md" data-testid="zone">{common.zone(zone)}</Text>
            <Person />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar><Navigation close={close} /></AppShell.Navbar>
      <AppShell.Main><Content /></AppShell.Main>
      {finding && <Suspense><Palette close={find.close} /></Suspense>}
    </AppShell>
  );
}
