import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { type AppsApi, type MemcacheApi } from './ports.ts';

/** A value of 1 MiB in which JSON writes each byte as `\u0000`, and its key. */
const BODY_BYTES_MAX = 6 * LIMITS.cacheItemBytesMax + 64 * 1024;
const KEY_CHARACTERS_MAX = 8 * 1024;

const namespace = z.string().regex(/^[0-9A-Za-z._-]{0,100}$/, 'want at most 100 of the characters 0-9 A-Z a-z . _ -');
const key = z.string().min(1).max(KEY_CHARACTERS_MAX);
const entryQuery = z.strictObject({ namespace: namespace.default(''), key });
const entryWrite = z.strictObject({
  ...{ namespace, key, value: z.string() },
  expirationSeconds: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
});

export function memcacheRoutes(apps: AppsApi, memcache: MemcacheApi): Router {
  const router = Router();
  // A cache is there for any name, but the console shows those of apps.
  router.use('/apps/:app/memcache', async (request, _response, next) => {
    await apps.app(request.params.app);
    next();
  });
  router.get('/apps/:app/memcache', async (request, response) => {
    response.json(await memcache.statistics(request.params.app));
  });
  router.get('/apps/:app/memcache/entry', async (request, response) => {
    const query = queryOf(entryQuery, request);
    response.json(await memcache.entry(request.params.app, query.namespace, query.key));
  });
  router.put('/apps/:app/memcache/entry', jsonBody(BODY_BYTES_MAX));
  router.put('/apps/:app/memcache/entry', async (request, response) => {
    response.json(await memcache.setEntry(request.params.app, bodyOf(entryWrite, request)));
  });
  router.delete('/apps/:app/memcache/entry', async (request, response) => {
    const query = queryOf(entryQuery, request);
    await memcache.deleteEntry(request.params.app, query.namespace, query.key);
    response.json({});
  });
  router.post('/apps/:app/memcache/flush', async (request, response) => {
    await memcache.flush(request.params.app);
    response.json({});
  });
  return router;
}
