import { type Request, Router } from 'express';
import { z } from 'zod';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { type AppsApi, type TransferApi } from './ports.ts';

/** A key of keyBytesMax as JSON, and the names to filter by. */
const EXPORT_BODY_BYTES_MAX = 512 * 1024;

const time = z.string().max(64);
const names = z.array(z.string().max(LIMITS.keyNameBytesMax)).max(LIMITS.exportFilterNamesMax);
const exportRequest = z.strictObject({
  kinds: names.exactOptional(),
  namespaces: names.exactOptional(),
  database: z.string().max(LIMITS.namespaceCharactersMax).exactOptional(),
  since: time.exactOptional(),
  readTime: time.exactOptional(),
  // What a key may be is checked where it is read, which names the member that does not fit.
  after: z.custom<never>((value) => typeof value === 'object' && value !== null, 'want a key').exactOptional(),
});
const importQuery = z.strictObject({
  mode: z.enum(['insert', 'upsert']),
  from: z.string().max(100).exactOptional(),
  skip: z.enum(['0', '1']).default('0'),
});

export function transferRoutes(apps: AppsApi, transfer: TransferApi, timers: Timers): Router {
  const router = Router();
  router.post('/apps/:app/datastore/export', jsonBody(EXPORT_BODY_BYTES_MAX), async (request, response) => {
    const appId = String(request.params['app']);
    const wanted = bodyOf(exportRequest, request);
    await apps.app(appId);
    const stream = new NdjsonStream(response, timers);
    const { signal } = stream;
    try {
      for await (const lines of transfer.export(appId, wanted, { signal })) {
        await stream.writeAll(lines);
        if (signal.aborted) break;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    stream.end();
  });
  router.post('/apps/:app/datastore/import', async (request, response) => {
    const { mode, from, skip } = queryOf(importQuery, request);
    if (!request.is('application/x-ndjson')) throw new PlatformError('INVALID_ARGUMENT', 'want a body of type application/x-ndjson');
    await apps.app(request.params.app);
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    const options = { mode, skip: skip === '1', signal: gone.signal, ...(from === undefined ? {} : { from }) };
    try {
      response.json(await transfer.import(request.params.app, bounded(request), options));
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    } finally {
      // A client reads no answer before it has sent everything.
      request.resume();
    }
  });
  return router;
}

async function* bounded(request: Request): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  // Stopping early must not end the connection, on which the answer goes out.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > LIMITS.importBodyBytesMax) throw new PlatformError('BODY_TOO_LARGE', `at most ${LIMITS.importBodyBytesMax} bytes`);
    yield chunk;
  }
}
