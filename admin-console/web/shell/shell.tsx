// The frame of every page: header, navigation, main part.
import { AppShell, Burger, ScrollArea } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactElement, type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'react-router';
import { AppSwitcher } from './app-switcher.tsx';
import { BrandMark } from './brand-mark.tsx';
import { Navigation } from './navigation.tsx';
import { PlatformNotice } from './platform-notice.tsx';
import { SchemeToggle } from './scheme-toggle.tsx';
import { UserMenu } from './user-menu.tsx';

const HEADER_HEIGHT = 56;
const NAVBAR_WIDTH = 220;

/** `/apps/ID/queues` → ID and `/queues`. */
function placeOf(pathname: string): { readonly appId?: string; readonly subpath: string } {
  const match = /^\/apps\/([^/]+)(\/[^/]+)?/.exec(pathname);
  return match?.[1] === undefined ? { subpath: '' } : { appId: decodeURIComponent(match[1]), subpath: match[2] ?? '' };
}

export function Shell({ children }: { readonly children: ReactNode }): ReactElement {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const { appId, subpath } = placeOf(pathname);
  const main = useRef<HTMLElement>(null);
  const shownPath = useRef(pathname);

  // A new page begins at its top, also for who hears it.
  useEffect(() => {
    if (shownPath.current === pathname) return;
    shownPath.current = pathname;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [pathname]);

  return (
    <AppShell
      header={{ height: HEADER_HEIGHT }}
      navbar={{ width: NAVBAR_WIDTH, breakpoint: 'md', collapsed: { mobile: !isOpen } }}
      padding={{ base: 'md', md: 'xl' }}
      transitionDuration={0}
    >
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <AppShell.Header className="header">
        <div className="header-bar">
          <Burger
            opened={isOpen}
            onClick={toggle}
            hiddenFrom="md"
            size="sm"
            aria-label={isOpen ? 'Close the navigation' : 'Open the navigation'}
            aria-expanded={isOpen}
          />
          <Link to="/" className="brand" aria-label="App Engine: all apps">
            <BrandMark />
            <span className="brand-name">App Engine</span>
          </Link>
          {appId !== undefined && <AppSwitcher appId={appId} subpath={subpath} />}
          <div className="header-end">
            <SchemeToggle />
            <UserMenu />
          </div>
        </div>
      </AppShell.Header>
      <AppShell.Navbar className={isOpen ? 'navbar navbar-open' : 'navbar'} p="xs" withBorder>
        <AppShell.Section grow component={ScrollArea} type="auto">
          <Navigation appId={appId} onFollow={close} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1}>
        <PlatformNotice />
        {children}
      </AppShell.Main>
    </AppShell>
  );
}
