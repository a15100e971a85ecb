// The service `urlfetch`: a request and its whole answer in one call each, redirects followed by hand.
import { type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { URL_FETCH_METHODS, URL_FETCH_SERVICE, type UrlFetchAnswer } from '../../../sdk/contract/services/url-fetch.ts';
import { type CallContext, method } from '../../../sdk/contract/wire/service.ts';
import { type Timers } from '../../../sdk/support/clock.ts';
import { type ApiService } from '../../api/service-table.ts';
import { type FetchAnswer, type FetchBroker } from './broker.ts';
import { fetchError } from './fetch-error.ts';
import { headerOf, incomingHeaders, outgoingHeaders, withoutHeaders } from './fetch-headers.ts';
import { type FetchTarget, parseFetchTarget } from './fetch-target.ts';
import { HeldBytes } from './held-bytes.ts';
import { type Hop, nextHop } from './redirect.ts';

const HEADERS_MAX = 200;

const call = z.strictObject({
  url: z.string(),
  method: z.enum(URL_FETCH_METHODS),
  headers: z.array(z.tuple([z.string(), z.string()])).max(HEADERS_MAX),
  payload: z.instanceof(Uint8Array).optional(),
  followRedirects: z.boolean(),
  deadlineMs: z.number().int().min(1).max(LIMITS.fetchDeadlineMsMax),
  validateCertificate: z.boolean(),
  allowTruncated: z.boolean(),
});
type Call = z.infer<typeof call>;

export function urlFetchApi(broker: FetchBroker, timers: Timers): ApiService {
  const held = new HeldBytes();
  return {
    name: URL_FETCH_SERVICE,
    resource: 'urlFetchCalls',
    megacyclesPerCall: 5,
    // Each call has its own.
    deadlineMs: 0,
    serviceOf: ({ appId }) => ({
      name: URL_FETCH_SERVICE,
      methods: { fetch: method(call, (payload, context) => withinDeadline(broker, held, timers, appId, payload, context)) },
    }),
  };
}

async function withinDeadline(
  broker: FetchBroker,
  held: HeldBytes,
  timers: Timers,
  appId: string,
  payload: Call,
  context: CallContext,
): Promise<UrlFetchAnswer> {
  const abort = new AbortController();
  const cancel = timers.after(payload.deadlineMs, () => {
    abort.abort(new PlatformError('FETCH_DEADLINE', `no whole answer within ${payload.deadlineMs} ms`));
  });
  const signal = AbortSignal.any([abort.signal, context.signal]);
  try {
    return await fetchOf(broker, held, appId, payload, signal);
  } catch (error) {
    throw abort.signal.aborted ? (abort.signal.reason as Error) : fetchError(error, payload.url.slice(0, 200));
  } finally {
    cancel();
  }
}

async function fetchOf(broker: FetchBroker, held: HeldBytes, appId: string, payload: Call, signal: AbortSignal): Promise<UrlFetchAnswer> {
  const { followRedirects, validateCertificate } = payload;
  let hop: Hop = {
    target: parseFetchTarget(payload.url),
    method: payload.method,
    // What the app says of the body's length could only be wrong.
    headers: withoutHeaders(payload.headers.flat(), ['content-length']),
    body: payload.payload ?? null,
  };
  const asksForGzip = headerOf(hop.headers, 'accept-encoding') === undefined;
  if (asksForGzip) hop.headers.push('Accept-Encoding', 'gzip');
  if (hop.method === 'POST' && hop.body !== null && headerOf(hop.headers, 'content-type') === undefined) {
    hop.headers.push('Content-Type', 'application/x-www-form-urlencoded');
  }
  for (let hops = 0; ; hops++) {
    const headers = outgoingHeaders(hop.headers, { appId, namesApp: !followRedirects });
    const answer = await broker.open({ ...hop, appId, headers, validateCertificate, signal, opensAnyLength: true });
    const next = followRedirects ? nextHop(hop, answer.status, headerOf(answer.headers, 'location')) : undefined;
    if (next === undefined) {
      const hold = (bytes: number): (() => void) => {
        held.take(appId, bytes);
        return () => {
          held.give(appId, bytes);
        };
      };
      return readAnswer(answer, hop.target, payload, { gunzip: asksForGzip, hold });
    }
    answer.body.destroy();
    if (hops >= LIMITS.fetchRedirectsMax) {
      throw new PlatformError(
        'FETCH_TOO_MANY_REDIRECTS',
        `more than ${LIMITS.fetchRedirectsMax}, the last to ${next.target.href.slice(0, 200)}`,
      );
    }
    hop = next;
  }
}

async function readAnswer(
  answer: FetchAnswer,
  target: FetchTarget,
  { allowTruncated, method }: Call,
  { gunzip, hold }: { readonly gunzip: boolean; readonly hold: Hold },
): Promise<UrlFetchAnswer> {
  const isPacked = gunzip && method !== 'HEAD' && headerOf(answer.headers, 'content-encoding')?.toLowerCase() === 'gzip';
  const headers = incomingHeaders(answer.headers, isPacked ? ['content-encoding', 'content-length'] : []);
  const { content, isWhole } = await readUpTo(isPacked ? unpacked(answer.body) : answer.body, LIMITS.fetchContentBytesMax, hold).finally(
    () => {
      answer.body.destroy();
    },
  );
  if (!isWhole && !allowTruncated) {
    throw new PlatformError(
      'FETCH_TOO_LARGE',
      `more than ${LIMITS.fetchContentBytesMax} bytes in one call; allowTruncated gives the beginning`,
    );
  }
  return { status: answer.status, headers: pairsOf(headers), content, finalUrl: target.href, contentWasTruncated: !isWhole };
}

function unpacked(body: Readable): Readable {
  const gunzip = createGunzip();
  body.on('error', (error) => gunzip.destroy(error));
  return body.pipe(gunzip);
}

/** Takes room for so many bytes; what it returns gives it back. Throws RPC_OVERLOADED when there is none. */
type Hold = (bytes: number) => () => void;

/** Stops reading, and unpacking, at the limit: a bomb is as small as what it may become. */
async function readUpTo(body: Readable, bytesMax: number, hold: Hold): Promise<{ readonly content: Buffer; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  const giveBack: (() => void)[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      giveBack.push(hold(chunk.length));
      bytes += chunk.length;
      chunks.push(chunk);
      // Leaving the loop destroys the stream.
      if (bytes > bytesMax) break;
    }
    return { content: Buffer.concat(chunks).subarray(0, bytesMax), isWhole: bytes <= bytesMax };
  } finally {
    for (const give of giveBack) give();
  }
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return pairs;
}
