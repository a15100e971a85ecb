// Metrics and health: for machines that ask again and again. Outside /api, at the paths where such machines look.
import { isIP } from 'node:net';
import { type Request, type RequestHandler, Router } from 'express';
import { z } from 'zod';
import { type HealthView, type RoleHealth, ROLES } from '../sdk/contract/admin/health.ts';
import { queryOf } from './json-body.ts';
import { type ObservationApi } from './ports.ts';

const FAILING = 503;
const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const healthQuery = z.strictObject({ role: z.enum([...ROLES, 'all']).exactOptional() });

export interface ObservationRoutesOptions {
  /** Lets those pass who may read metrics. */
  readonly authentication: RequestHandler;
  /** Whether who asks from this machine itself needs no token for /metrics. */
  readonly isMetricsOpen: boolean;
}

/** Health says which roles there are and how they are, and nothing of apps: it needs no token. */
export function observationRoutes(observation: ObservationApi, { authentication, isMetricsOpen }: ObservationRoutesOptions): Router {
  const router = Router();
  router.get('/healthz', async (request, response) => {
    const { role = 'control' } = queryOf(healthQuery, request);
    // Whoever asks for control alone has the answer: it must not depend on what others do.
    const roles: readonly RoleHealth[] = role === 'control' ? [{ role, status: 'ready', reasons: [] }] : await healthOf(observation, role);
    const isWell = roles.every(({ status }) => status !== 'down');
    response
      .status(isWell ? 200 : FAILING)
      .set('Cache-Control', 'no-store')
      .json(view(isWell, roles));
  });
  router.get('/readyz', async (request, response) => {
    const { role = 'all' } = queryOf(healthQuery, request);
    const roles = await healthOf(observation, role);
    const isWell = roles.every(({ status }) => status === 'ready');
    response
      .status(isWell ? 200 : FAILING)
      .set('Cache-Control', 'no-store')
      .json(view(isWell, roles));
  });
  router.get(
    '/metrics',
    (request, response, next) => {
      if (isMetricsOpen && isOfThisMachine(request)) next();
      else void authentication(request, response, next);
    },
    async (_request, response) => {
      response.set({ 'Content-Type': METRICS_CONTENT_TYPE, 'Cache-Control': 'no-store' }).send(await observation.metrics());
    },
  );
  return router;
}

/** What needs a token: the same with the figures of the processes. */
export function roleRoutes(observation: ObservationApi): Router {
  const router = Router();
  router.get('/roles', async (_request, response) => {
    response.json({ roles: await observation.roles() });
  });
  return router;
}

async function healthOf(observation: ObservationApi, wanted: RoleHealth['role'] | 'all'): Promise<readonly RoleHealth[]> {
  const roles = await observation.roles();
  return roles.filter(({ role }) => wanted === 'all' || role === wanted).map(({ role, status, reasons }) => ({ role, status, reasons }));
}

function view(isWell: boolean, roles: readonly RoleHealth[]): HealthView {
  return { status: isWell ? 'ok' : 'failing', roles };
}

/** A proxy on this machine hands on what strangers ask, and says so. */
function isOfThisMachine({ socket, headers }: Request): boolean {
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined || headers.via !== undefined) return false;
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
