import { Router } from 'express';
import { z } from 'zod';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { type AppsApi } from './ports.ts';

const TRAFFIC_BODY_BYTES_MAX = 64 * 1024;

const INSTANCE_ID_PATTERN = /^[A-Za-z0-9-]{1,100}$/;

const trafficRequest = z.strictObject({
  split: z
    .record(z.string().max(63), z.number())
    .refine((split) => Object.keys(split).length <= LIMITS.versionsPerAppMax, `at most ${LIMITS.versionsPerAppMax} versions`),
  shardBy: z.enum(['ip', 'cookie', 'random']).exactOptional(),
  migrateMs: z.number().min(LIMITS.migrationMsMin).max(LIMITS.migrationMsMax).exactOptional(),
});

export function appRoutes(apps: AppsApi): Router {
  const router = Router();
  router.get('/apps', async (_request, response) => {
    response.json({ apps: await apps.apps() });
  });
  router.get('/apps/:app', async (request, response) => {
    response.json(await apps.app(request.params.app));
  });
  router.get('/apps/:app/versions', async (request, response) => {
    response.json({ versions: await apps.versions(request.params.app) });
  });
  router.get('/apps/:app/instances', async (request, response) => {
    response.json({ instances: await apps.instances(request.params.app) });
  });
  router.delete('/apps/:app/instances/:instance', async (request, response) => {
    const { app, instance } = request.params;
    if (!INSTANCE_ID_PATTERN.test(instance)) throw new PlatformError('INSTANCE_NOT_FOUND', JSON.stringify(instance.slice(0, 100)));
    await apps.stopInstance(app, instance);
    response.json({});
  });
  router.delete('/apps/:app/services/:service/versions/:version', async (request, response) => {
    const { app, service, version } = request.params;
    await apps.deleteVersion(app, service, version);
    response.json({});
  });
  router.put('/apps/:app/services/:service/traffic', jsonBody(TRAFFIC_BODY_BYTES_MAX));
  router.put('/apps/:app/services/:service/traffic', async (request, response) => {
    const { app, service } = request.params;
    response.json({ versions: await apps.setTraffic(app, service, bodyOf(trafficRequest, request)) });
  });
  return router;
}
