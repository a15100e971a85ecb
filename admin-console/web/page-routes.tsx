// Every page and its address.
import { Skeleton, Stack } from '@mantine/core';
import { type ComponentType, lazy, type ReactElement, Suspense } from 'react';
import { Route, Routes } from 'react-router';
import { AppsPage } from './pages/apps-page.tsx';
import { NotFoundPage } from './pages/not-found-page.tsx';
import { SignInPage } from './pages/sign-in-page.tsx';
import { SessionGate } from './shell/session-gate.tsx';
import { Shell } from './shell/shell.tsx';

/** A page in a file of its own, fetched when it is first opened. */
function page(load: () => Promise<ComponentType>): ReactElement {
  const Page = lazy(async () => ({ default: await load() }));
  return <Page />;
}

const APP_PAGES: readonly (readonly [path: string, element: ReactElement])[] = [
  ['', page(async () => (await import('./pages/dashboard-page.tsx')).DashboardPage)],
  ['versions', page(async () => (await import('./pages/versions-page.tsx')).VersionsPage)],
  ['instances', page(async () => (await import('./pages/instances-page.tsx')).InstancesPage)],
  ['logs', page(async () => (await import('./pages/logs-page.tsx')).LogsPage)],
  ['datastore', page(async () => (await import('./pages/datastore-page.tsx')).DatastorePage)],
  ['queues', page(async () => (await import('./pages/queues-page.tsx')).QueuesPage)],
  ['cron', page(async () => (await import('./pages/cron-page.tsx')).CronPage)],
  ['memcache', page(async () => (await import('./pages/memcache-page.tsx')).MemcachePage)],
  ['mail', page(async () => (await import('./pages/mail-page.tsx')).MailPage)],
  ['quotas', page(async () => (await import('./pages/quotas-page.tsx')).QuotasPage)],
  ['billing', page(async () => (await import('./pages/billing-page.tsx')).BillingPage)],
];

const tablets = page(async () => (await import('./pages/tablets-page.tsx')).TabletsPage);
const accounts = page(async () => (await import('./pages/accounts-page.tsx')).AccountsPage);

function Loading(): ReactElement {
  return (
    <Stack gap="md" role="status" aria-label="Loading" className="page">
      <Skeleton height={28} width={220} />
      <Skeleton height={140} />
      <Skeleton height={140} />
    </Stack>
  );
}

const withShell = (element: ReactElement): ReactElement => (
  <SessionGate>
    <Shell>
      <Suspense fallback={<Loading />}>{element}</Suspense>
    </Shell>
  </SessionGate>
);

export function PageRoutes(): ReactElement {
  return (
    <Routes>
      <Route path="/sign-in" element={<SignInPage />} />
      <Route path="/" element={withShell(<AppsPage />)} />
      <Route path="/tablets" element={withShell(tablets)} />
      <Route path="/accounts" element={withShell(accounts)} />
      {APP_PAGES.map(([path, element]) => (
        <Route key={path} path={`/apps/:app/${path}`} element={withShell(element)} />
      ))}
      <Route path="*" element={withShell(<NotFoundPage />)} />
    </Routes>
  );
}
