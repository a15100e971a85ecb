import { Router } from 'express';
import { z } from 'zod';
import { type JsonValue } from '../sdk/contract/admin/data.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { type AppsApi, type DatastoreApi } from './ports.ts';

const QUERY_BODY_BYTES_MAX = 64 * 1024;
/** A key of keyBytesMax as base64url, and the count that stands before it in a cursor. */
const ID_CHARACTERS_MAX = 12 * 1024;
/** RFC 3339 to the nanosecond, with an offset, has 35. */
const TIME_CHARACTERS_MAX = 40;

const namespace = z.string().max(LIMITS.namespaceCharactersMax);
const namespaceQuery = z.strictObject({ namespace: namespace.default('') });
const noQuery = z.strictObject({});

// What a value may be is checked where it is read, which names the member that does not fit.
const gqlValue = z.custom<JsonValue>((value) => typeof value === 'object' && value !== null, 'want a value');

const gqlRequest = z.strictObject({
  gql: z.string(),
  named: z.record(z.string(), gqlValue).exactOptional(),
  positional: z.array(gqlValue).max(LIMITS.gqlTokensMax).exactOptional(),
  namespace: namespace.exactOptional(),
  pageSize: z.int().min(1).max(LIMITS.queryBatchResultsMax).exactOptional(),
  cursor: z.string().max(ID_CHARACTERS_MAX).exactOptional(),
  explain: z.boolean().exactOptional(),
  readTime: z.string().max(TIME_CHARACTERS_MAX).exactOptional(),
});

// What a key and a value may be is checked where they are read, which names the member that does not fit.
const entityWrite = z.strictObject({
  key: z.custom<never>((value) => typeof value === 'object' && value !== null, 'want a key'),
  properties: z.custom<never>((value) => typeof value === 'object' && value !== null, 'want an object of values'),
  mode: z.enum(['insert', 'update', 'upsert']),
  version: z
    .string()
    .regex(/^\d{1,19}$/, 'a version')
    .exactOptional(),
});

/** The data of an app that is there: another one's may be left over, but is nobody's to read. */
export function datastoreRoutes(apps: AppsApi, datastore: DatastoreApi): Router {
  const router = Router();
  router.use('/apps/:app/datastore', async (request, _response, next) => {
    await apps.app(request.params.app);
    next();
  });
  router.get('/apps/:app/datastore/namespaces', async (request, response) => {
    queryOf(noQuery, request);
    response.json({ namespaces: await datastore.namespaces(request.params.app) });
  });
  router.get('/apps/:app/datastore/kinds', async (request, response) => {
    const query = queryOf(namespaceQuery, request);
    response.json({ kinds: await datastore.kinds(request.params.app, query.namespace) });
  });
  router.post('/apps/:app/datastore/query', jsonBody(QUERY_BODY_BYTES_MAX), async (request, response) => {
    response.json(await datastore.query(String(request.params['app']), bodyOf(gqlRequest, request)));
  });
  router.put('/apps/:app/datastore/entities', jsonBody(LIMITS.datastoreViewerBodyBytesMax), async (request, response) => {
    response.json(await datastore.write(String(request.params['app']), bodyOf(entityWrite, request)));
  });
  router.get('/apps/:app/datastore/entities/:key', async (request, response) => {
    response.json(await datastore.entity(request.params.app, request.params.key));
  });
  router.delete('/apps/:app/datastore/entities/:key', async (request, response) => {
    await datastore.delete(request.params.app, request.params.key);
    response.json({});
  });
  return router;
}
