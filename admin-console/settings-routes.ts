import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { type SettingsApi } from './ports.ts';

const FILES_MAX = 8;

const settingsRequest = z.strictObject({
  files: z
    .record(z.string().max(100), z.string().max(LIMITS.manifestBytesMax))
    .refine((files) => Object.keys(files).length <= FILES_MAX, `at most ${FILES_MAX} files`),
});

export function settingsRoutes(settings: SettingsApi): Router {
  const router = Router();
  router.put('/apps/:app/settings', jsonBody(LIMITS.deployManifestBytesMax));
  router.put('/apps/:app/settings', async (request, response) => {
    const { files } = bodyOf(settingsRequest, request);
    response.json(await settings.apply(request.params.app, files));
  });
  return router;
}
