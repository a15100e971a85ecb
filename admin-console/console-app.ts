// The console's HTTP application: who may ask, then the routes, then every failure as JSON.
import express, { type Express } from 'express';
import helmet from 'helmet';
import { checkAppId, checkService, checkVersion } from '../sdk/contract/app-manifest/label.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { type Log } from '../sdk/support/log.ts';
import { appRoutes } from './app-routes.ts';
import { bearerToken } from './bearer-token.ts';
import { deployRoutes } from './deploy-routes.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { hostCheck } from './host-check.ts';
import { logRoutes } from './log-routes.ts';
import { type AppsApi, type DeployApi, type LogApi } from './ports.ts';
import { STATUS_STYLE_SOURCE, statusPage } from './status-page.ts';

export interface ConsoleApis {
  readonly apps: AppsApi;
  readonly deploys: DeployApi;
  readonly logs: LogApi;
}

export interface ConsoleOptions {
  /** Its bearer may do everything. */
  readonly ownerToken: string;
  /** Names, besides localhost and addresses, under which browsers may reach the console. */
  readonly hostNames?: readonly string[];
}

export function createConsoleApp({ apps, deploys, logs }: ConsoleApis, timers: Timers, log: Log, options: ConsoleOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use(securityHeaders());
  app.use(hostCheck(options.hostNames ?? []));
  app.get('/', statusPage(apps));
  app.get('/api/v1/status', (_request, response) => {
    response.json(apps.status());
  });

  const api = express.Router();
  // Before any body is read: a stranger makes this process do no work.
  api.use(bearerToken(options.ownerToken));
  api.use(noStore());
  for (const router of [appRoutes(apps), deployRoutes(deploys, timers), logRoutes(apps, logs, timers)]) {
    router.param('app', checking(checkAppId));
    router.param('service', checking(checkService));
    router.param('version', checking(checkVersion));
    api.use(router);
  }
  app.use('/api', (request, response, next) => {
    if (request.path === '/v1' || request.path.startsWith('/v1/')) next();
    else bearerToken(options.ownerToken)(request, response, next);
  });
  app.use('/api/v1', api);
  app.use(notFound);
  app.use(errorAnswer(log));
  return app;
}

/** Set by hand: the library's default policy upgrades to https, which breaks a console that is served over plain http. */
function securityHeaders(): express.RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'style-src': [STATUS_STYLE_SOURCE],
        'img-src': ['data:'],
        'base-uri': ["'none'"],
        'form-action': ["'none'"],
        'frame-ancestors': ["'none'"],
      },
    },
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
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
