import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { type VersionsApi } from './ports.ts';

const BODY_BYTES_MAX = 1_024;

const versionChange = z
  .strictObject({
    isStopped: z.boolean().exactOptional(),
    instances: z.int().min(1).max(LIMITS.instancesPerVersionMax).exactOptional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'nothing is to be changed');

export function versionRoutes(versions: VersionsApi): Router {
  const router = Router();
  const path = '/apps/:app/services/:service/versions/:version';
  router.patch(path, jsonBody(BODY_BYTES_MAX));
  router.patch(path, async (request, response) => {
    const { app, service, version } = request.params;
    response.json(await versions.changeVersion(app, service, version, bodyOf(versionChange, request)));
  });
  return router;
}
