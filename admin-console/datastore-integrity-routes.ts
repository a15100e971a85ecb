import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import { type Timers } from '../sdk/support/clock.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { type AppsApi, type IntegrityApi } from './ports.ts';

const BODY_BYTES_MAX = 1_024;

const checkRequest = z.strictObject({ repair: z.boolean().exactOptional() });

export function integrityRoutes(apps: AppsApi, integrity: IntegrityApi, timers: Timers): Router {
  const router = Router();
  const check = async (appId: string | undefined, request: Request, response: Response): Promise<void> => {
    const stream = new NdjsonStream(response, timers);
    const { signal } = stream;
    for await (const event of integrity.check(appId, bodyOf(checkRequest, request), { signal })) {
      await stream.write(event);
      if (signal.aborted) break;
    }
    stream.end();
  };
  router.post('/datastore/check', jsonBody(BODY_BYTES_MAX), (request, response) => check(undefined, request, response));
  router.post('/apps/:app/datastore/check', jsonBody(BODY_BYTES_MAX), async (request, response) => {
    const appId = String(request.params['app']);
    await apps.app(appId);
    await check(appId, request, response);
  });
  return router;
}
