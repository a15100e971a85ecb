import { Router } from 'express';
import { z } from 'zod';
import { LOG_SEVERITIES } from '../sdk/contract/admin/logs.ts';
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

const TIME_DIGITS_MAX = 15;
const CURSOR_CHARACTERS_MAX = 300;

const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1');
const number = z
  .string()
  .regex(new RegExp(`^\\d{1,${TIME_DIGITS_MAX}}$`), 'a whole number')
  .transform(Number)
  .exactOptional();
const name = z.string().min(1).max(63).exactOptional();
const pattern = z.string().max(LIMITS.logFilterCharactersMax).exactOptional();
const cursor = z.string().max(CURSOR_CHARACTERS_MAX).exactOptional();

const logQuery = z
  .strictObject({
    ...{ follow: flag, marks: flag, lines: lines.default(LINES_DEFAULT), source: z.enum(['app', 'request', 'all']).default('all') },
    ...{ service: name, version: name, instance: name },
    request: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'the id of a request')
      .exactOptional(),
    severity: z.enum(LOG_SEVERITIES).exactOptional(),
    ...{ text: pattern, regex: pattern, path: pattern, since: number, until: number, latency: number },
    status: z.string().max(63).exactOptional(),
    method: z
      .string()
      .regex(/^[A-Za-z]{1,20}$/, 'a method such as GET')
      .exactOptional(),
    ...{ before: cursor, after: cursor },
  })
  .transform(({ since, until, latency, ...query }) => ({
    ...query,
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(latency === undefined ? {} : { latencyMsMin: latency }),
  }));

export function logRoutes(apps: AppsApi, logs: LogApi, timers: Timers): Router {
  const router = Router();
  router.get('/apps/:app/logs', async (request, response) => {
    const { app } = request.params;
    const query = queryOf(logQuery, request);
    await apps.app(app);
    const stream = new NdjsonStream(response, timers);
    const { signal } = stream;
    // A pattern that is none is refused here, before the answer begins.
    const rows = logs.read(app, query, { signal });
    // An app that logs nothing yet is an answer too: the reader must not wait for it.
    stream.open();
    for await (const row of rows) {
      await stream.write(row);
      if (signal.aborted) break;
    }
    stream.end();
  });
  return router;
}
