import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { type AppsApi, type TtlApi } from './ports.ts';

const BODY_BYTES_MAX = 8 * 1024;

const ttlWrite = z.strictObject({ property: z.string().min(1).max(LIMITS.keyNameBytesMax) });
const noQuery = z.strictObject({});

export function ttlRoutes(apps: AppsApi, ttl: TtlApi): Router {
  const router = Router();
  router.use('/apps/:app/datastore/ttl', async (request, _response, next) => {
    await apps.app(request.params.app);
    next();
  });
  router.get('/apps/:app/datastore/ttl', async (request, response) => {
    queryOf(noQuery, request);
    response.json({ policies: await ttl.policies(request.params.app) });
  });
  router.put('/apps/:app/datastore/ttl/:kind', jsonBody(BODY_BYTES_MAX), async (request, response) => {
    const { property } = bodyOf(ttlWrite, request);
    response.json(await ttl.set(String(request.params['app']), { kind: String(request.params['kind']), property }));
  });
  router.delete('/apps/:app/datastore/ttl/:kind', async (request, response) => {
    await ttl.clear(request.params.app, request.params.kind);
    response.json({});
  });
  return router;
}
