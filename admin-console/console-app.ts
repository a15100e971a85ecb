// The console's HTTP application: who may ask, then the routes, then every failure as JSON.
import express, { type Express, type RequestHandler } from 'express';
import { checkAppId, checkService, checkVersion } from '../sdk/contract/app-manifest/label.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { type Log } from '../sdk/support/log.ts';
import { accountRoutes } from './account-routes.ts';
import { appRoutes } from './app-routes.ts';
import { authentication } from './authentication.ts';
import { type ConsoleAccess } from './console-access.ts';
import { indexRoutes } from './datastore-index-routes.ts';
import { integrityRoutes } from './datastore-integrity-routes.ts';
import { transferRoutes } from './datastore-transfer-routes.ts';
import { datastoreRoutes } from './datastore-routes.ts';
import { datastoreSettingsRoutes } from './datastore-settings-routes.ts';
import { tokenRoutes } from './datastore-token-routes.ts';
import { tabletRoutes } from './datastore-tablet-routes.ts';
import { ttlRoutes } from './datastore-ttl-routes.ts';
import { settingsRoutes } from './settings-routes.ts';
import { deployRoutes } from './deploy-routes.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { hostCheck } from './host-check.ts';
import { logRoutes } from './log-routes.ts';
import { observationRoutes, roleRoutes } from './observation-routes.ts';
import { memcacheRoutes } from './memcache-routes.ts';
import { mailRoutes } from './mail-routes.ts';
import {
  type AccountsApi,
  type AppsApi,
  type DatastoreApi,
  type DatastoreSettingsApi,
  type DatastoreTokensApi,
  type DeployApi,
  type IndexesApi,
  type IntegrityApi,
  type LogApi,
  type MailApi,
  type MemcacheApi,
  type ObservationApi,
  type TabletsApi,
  type TasksApi,
  type TransferApi,
  type SettingsApi,
  type TtlApi,
  type UsageApi,
  type VersionsApi,
} from './ports.ts';
import { securityHeaders } from './security-headers.ts';
import { sessionRoutes, signInRoutes } from './session-routes.ts';
import { taskRoutes } from './task-routes.ts';
import { usageRoutes } from './usage-routes.ts';
import { versionRoutes } from './version-routes.ts';

export interface ConsoleApis {
  readonly apps: AppsApi;
  /** Absent: there are no such routes. */
  readonly versions?: VersionsApi;
  readonly deploys: DeployApi;
  readonly logs: LogApi;
  readonly datastore: DatastoreApi;
  /** Absent: there are no such routes. */
  readonly indexes?: IndexesApi;
  /** Absent: there are no such routes. */
  readonly datastoreSettings?: DatastoreSettingsApi;
  /** Absent: there are no such routes. */
  readonly datastoreTokens?: DatastoreTokensApi;
  /** Absent: there are no such routes. */
  readonly integrity?: IntegrityApi;
  /** Absent: there are no such routes. */
  readonly transfer?: TransferApi;
  readonly tablets?: TabletsApi;
  readonly memcache: MemcacheApi;
  readonly mail: MailApi;
  readonly accounts: AccountsApi;
  /** Absent: there are no such routes. */
  readonly tasks?: TasksApi;
  /** Absent: nothing is metered, and there are no such routes. */
  readonly usage?: UsageApi;
  /** Absent: there are no such routes. */
  readonly ttl?: TtlApi;
  /** Absent: there are no such routes. */
  readonly settings?: SettingsApi;
  /** Absent: there are no such routes. */
  readonly observation?: ObservationApi;
}

export interface ConsoleOptions {
  /** Its bearer may do everything. */
  readonly ownerToken: string;
  /** Names, besides localhost and addresses, under which browsers may reach the console. */
  readonly hostNames?: readonly string[];
  /** Who may come with a browser; absent, nobody. */
  readonly access?: ConsoleAccess;
  /** Whether /metrics needs no token from this machine itself. */
  readonly isMetricsOpen?: boolean;
  /** What is served to browsers outside /api: `consolePages(…)`. */
  readonly pages?: RequestHandler;
}

export function createConsoleApp(apis: ConsoleApis, timers: Timers, log: Log, options: ConsoleOptions): Express {
  const {
    apps,
    versions,
    deploys,
    logs,
    datastore,
    datastoreSettings,
    datastoreTokens,
    indexes,
    integrity,
    tablets,
    transfer,
    memcache,
    mail,
    accounts,
    tasks,
    usage,
    ttl,
    settings,
    observation,
  } = apis;
  const { access } = options;
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use(securityHeaders());
  app.use(hostCheck(options.hostNames ?? []));
  app.get('/api/v1/status', (_request, response) => {
    response.json(apps.status());
  });

  const authenticated = authentication(options.ownerToken, access);
  if (observation)
    app.use(observationRoutes(observation, { authentication: authenticated, isMetricsOpen: options.isMetricsOpen ?? false }));
  if (access) app.use('/api/v1', signInRoutes(access));
  const api = express.Router();
  // Before any body is read: a stranger makes this process do no work.
  app.use('/api', authenticated);
  api.use(noStore());
  if (access) api.use(sessionRoutes(access));
  const routers = [
    appRoutes(apps),
    ...(versions ? [versionRoutes(versions)] : []),
    deployRoutes(deploys, timers),
    logRoutes(apps, logs, timers),
    // One line for each port.
    datastoreRoutes(apps, datastore),
    ...(indexes ? [indexRoutes(apps, indexes)] : []),
    ...(datastoreSettings ? [datastoreSettingsRoutes(apps, datastoreSettings)] : []),
    ...(datastoreTokens ? [tokenRoutes(datastoreTokens)] : []),
    ...(integrity ? [integrityRoutes(apps, integrity, timers)] : []),
    ...(transfer ? [transferRoutes(apps, transfer, timers)] : []),
    ...(tablets ? [tabletRoutes(apps, tablets)] : []),
    memcacheRoutes(apps, memcache),
    mailRoutes(apps, mail),
    accountRoutes(accounts),
    ...(tasks ? [taskRoutes(tasks)] : []),
    ...(usage ? [usageRoutes(usage)] : []),
    ...(ttl ? [ttlRoutes(apps, ttl)] : []),
    ...(settings ? [settingsRoutes(settings)] : []),
    ...(observation ? [roleRoutes(observation)] : []),
  ];
  for (const router of routers) {
    router.param('app', checking(checkAppId));
    router.param('service', checking(checkService));
    router.param('version', checking(checkVersion));
    api.use(router);
  }
  app.use('/api/v1', api);
  if (options.pages) app.use(options.pages);
  app.use(notFound);
  app.use(errorAnswer(log));
  return app;
}

function noStore(): express.RequestHandler {
  return (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  };
}

function checking(check: (text: string) => string): express.RequestParamHandler {
  return (_request, _response, next, value: unknown) => {
    check(String(value));
    next();
  };
}
