import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { type AppsApi, type IndexesApi } from './ports.ts';

const noQuery = z.strictObject({});
const name = z.string().min(1).max(LIMITS.keyNameBytesMax);
const property = z.strictObject({ name, direction: z.enum(['asc', 'desc']) });
const indexesRequest = z.strictObject({
  indexes: z
    .array(z.strictObject({ kind: name, ancestor: z.boolean(), properties: z.array(property).min(1).max(LIMITS.compositePropertiesMax) }))
    .max(LIMITS.compositeIndexesMax),
});

export function indexRoutes(apps: AppsApi, indexes: IndexesApi): Router {
  const router = Router();
  router.use('/apps/:app/datastore/indexes', async (request, _response, next) => {
    await apps.app(request.params.app);
    next();
  });
  router.get('/apps/:app/datastore/indexes', async (request, response) => {
    queryOf(noQuery, request);
    response.json({ indexes: await indexes.list(request.params.app) });
  });
  router.post('/apps/:app/datastore/indexes', jsonBody(LIMITS.manifestBytesMax), async (request, response) => {
    response.json({ indexes: await indexes.create(String(request.params['app']), bodyOf(indexesRequest, request).indexes) });
  });
  router.delete('/apps/:app/datastore/indexes/:id', async (request, response) => {
    const { app, id } = request.params;
    if (!/^[1-9]\d{0,8}$/.test(id))
      throw new PlatformError('DS_INDEX_NOT_FOUND', `${JSON.stringify(id.slice(0, 100))} is no id of an index`);
    await indexes.delete(app, Number(id));
    response.json({});
  });
  return router;
}
