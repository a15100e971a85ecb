import { Router } from 'express';
import { z } from 'zod';
import { bodyOf, jsonBody } from './json-body.ts';
import { type AppsApi, type DatastoreSettingsApi } from './ports.ts';

const BODY_BYTES_MAX = 1_024;

const change = z.strictObject({ concurrency: z.enum(['pessimistic', 'optimistic']).exactOptional() });

export function datastoreSettingsRoutes(apps: AppsApi, settings: DatastoreSettingsApi): Router {
  const router = Router();
  const path = '/apps/:app/datastore/settings';
  router.get(path, async ({ params }, response) => {
    await apps.app(params.app);
    response.json(await settings.settings(params.app));
  });
  router.patch(path, jsonBody(BODY_BYTES_MAX), async (request, response) => {
    const appId = String(request.params['app']);
    await apps.app(appId);
    response.json(await settings.change(appId, bodyOf(change, request)));
  });
  return router;
}
