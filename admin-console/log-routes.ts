import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { queryOf } from './json-body.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { type AppsApi, type LogApi } from './ports.ts';

const LINES_DEFAULT = 100;

const lines = z
  .string()
  .regex(/^\d{1,6}$/, 'a number of rows')
  .transform(Number)
  .refine((value) => value <= LIMITS.logReadRowsMax, `at most ${LIMITS.logReadRowsMax} rows`);

const logQuery = z.strictObject({
  follow: z.enum(['0', '1']).default('0'),
  lines: lines.default(LINES_DEFAULT),
  source: z.enum(['app', 'request', 'all']).default('all'),
  service: z.string().max(63).exactOptional(),
  version: z.string().max(63).exactOptional(),
  text: z.string().max(LIMITS.logFilterCharactersMax).exactOptional(),
});

export function logRoutes(apps: AppsApi, logs: LogApi, timers: Timers): Router {
  const router = Router();
  router.get('/apps/:app/logs', async (request, response) => {
    const { app } = request.params;
    const { follow, ...query } = queryOf(logQuery, request);
    await apps.app(app);
    const stream = new NdjsonStream(response, timers);
    // An app that logs nothing yet is an answer too: the reader must not wait for it.
    stream.open();
    const { signal } = stream;
    for await (const row of logs.read(app, { ...query, follow: follow === '1' }, { signal })) {
      await stream.write(row);
      if (signal.aborted) break;
    }
    stream.end();
  });
  return router;
}
