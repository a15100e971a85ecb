import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { type DatastoreTokensApi } from './ports.ts';

const BODY_BYTES_MAX = 4 * 1024;

const tokenRequest = z.strictObject({
  name: z.string().max(LIMITS.datastoreTokenNameCharactersMax).exactOptional(),
  access: z.enum(['read-write', 'read-only']).exactOptional(),
  expiresDays: z.int().min(1).max(LIMITS.datastoreTokenDaysMax).exactOptional(),
});

export function tokenRoutes(tokens: DatastoreTokensApi): Router {
  const router = Router();
  const path = '/apps/:app/datastore/tokens';
  router.get(path, async ({ params }, response) => {
    response.json({ tokens: await tokens.list(params.app) });
  });
  router.post(path, jsonBody(BODY_BYTES_MAX), async (request, response) => {
    response.status(201).json(await tokens.create(String(request.params['app']), bodyOf(tokenRequest, request)));
  });
  router.delete(`${path}/:token`, async ({ params }, response) => {
    await tokens.delete(params.app, params.token);
    response.json({});
  });
  return router;
}
