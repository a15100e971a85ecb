import { Router } from 'express';
import { z } from 'zod';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { type DeployApi } from './ports.ts';

// What a path may be is checked where the list is used; here only the form, and how much of it there is.
const deployRequest = z.strictObject({
  files: z
    .array(
      z.strictObject({
        path: z.string().max(LIMITS.deployPathBytesMax),
        sha256: z.string().length(64),
        bytes: z.number(),
        executable: z.boolean(),
      }),
    )
    .max(LIMITS.deployFilesMax),
  version: z.string().max(200).exactOptional(),
  promote: z.boolean(),
});

export function deployRoutes(deploys: DeployApi, timers: Timers): Router {
  const router = Router();
  router.post('/apps/:app/deployments', jsonBody(LIMITS.deployManifestBytesMax));
  router.post('/apps/:app/deployments', async (request, response) => {
    response.json(await deploys.begin(request.params.app, bodyOf(deployRequest, request)));
  });
  router.put('/apps/:app/deployments/:deployment/blobs/:sha256', async (request, response) => {
    const { app, deployment, sha256 } = request.params;
    if (Number(request.headers['content-length'] ?? 0) > LIMITS.deployFileBytesMax) {
      response.set('Connection', 'close');
      throw new PlatformError('BODY_TOO_LARGE', `at most ${LIMITS.deployFileBytesMax} bytes`);
    }
    await deploys.putBlob(app, deployment, sha256, request);
    response.json({});
  });
  router.post('/apps/:app/deployments/:deployment/finish', async (request, response) => {
    const { app, deployment } = request.params;
    const stream = new NdjsonStream(response, timers);
    await deploys.finish(app, deployment, {
      onEvent: (event) => {
        stream.send(event);
      },
      signal: stream.signal,
    });
    stream.end();
  });
  return router;
}
