// Each limit of the HTTP front, from both sides: what is just within it is served, what is just beyond gets the status that
// docs/errors.md gives for its code. Limits of time and of connections: number 47 in http-front.test.ts.
import { once } from 'node:events';
import { type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode, PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS, type LimitName } from '../../sdk/contract/limits.ts';
import { HttpFront, statuses, withBound } from './http-front.ts';

interface LimitCase {
  readonly limit: LimitName;
  readonly code: ErrorCode;
  /** A request of that size, and the app that answers it; `excess` is 0 within the limit and 1 beyond. */
  readonly request: (excess: 0 | 1) => string;
  readonly app?: (excess: 0 | 1) => RequestListener;
  /** What is just within, when not 200. */
  readonly within?: number;
  readonly version?: object;
  /** Set where the instances themselves are what is lacking. */
  readonly failure?: PlatformError;
}

const head = (lines: readonly string[], method = 'GET', target = '/'): string =>
  `${[`${method} ${target} HTTP/1.1`, 'Host: hello.localhost', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`;
const chunked = (bytes: number): string => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`;
/** A head of exactly so many bytes, as Node's parser counts them: without the line ends. */
const headOf = (bytes: number): string => {
  const counted = (text: string): number => text.replaceAll(/\r\n|: /g, '').length;
  const bare = head(['X-Pad: ']);
  return head([`X-Pad: ${'x'.repeat(bytes - counted(bare))}`]);
};
const form = (length: number, page = 'login'): string => head([`Content-Length: ${length}`], 'POST', `/_ah/${page}`) + 'x'.repeat(length);

const cases: readonly LimitCase[] = [
  {
    limit: 'requestBodyBytesMax',
    code: 'ROUTE_BODY_TOO_LARGE',
    request: (excess) => {
      const length = LIMITS.requestBodyBytesMax + excess;
      return head([`Content-Length: ${length}`], 'POST') + (excess ? '' : 'x'.repeat(length));
    },
  },
  {
    limit: 'requestBodyBytesMax',
    code: 'ROUTE_BODY_TOO_LARGE',
    request: (excess) => head(['Transfer-Encoding: chunked'], 'POST') + chunked(LIMITS.requestBodyBytesMax + excess),
  },
  {
    limit: 'requestUrlBytesMax',
    code: 'ROUTE_URL_TOO_LONG',
    request: (excess) => head([], 'GET', `/${'a'.repeat(LIMITS.requestUrlBytesMax - 1 + excess)}`),
  },
  {
    limit: 'requestHeadersMax',
    code: 'ROUTE_HEADERS_TOO_LARGE',
    // Host and Connection are two of them.
    request: (excess) => head(Array.from({ length: LIMITS.requestHeadersMax - 2 + excess }, (_, index) => `X-${index}: 1`)),
  },
  {
    limit: 'requestHeaderBytesMax',
    code: 'ROUTE_HEADERS_TOO_LARGE',
    // The app's own server has the same limit, and gets the platform's headers on top of the client's.
    request: (excess) => headOf(LIMITS.requestHeaderBytesMax - 2_048 + excess * 2_560),
  },
  {
    limit: 'responseBodyBytesMax',
    code: 'ROUTE_RESPONSE_TOO_LARGE',
    request: () => head([]),
    app: (excess) => (_request, response) => {
      const body = Buffer.alloc(LIMITS.responseBodyBytesMax + excess);
      response.writeHead(200, { 'content-length': body.length }).end(body);
    },
  },
  {
    limit: 'responseHeaderBytesMax',
    code: 'ROUTE_BAD_RESPONSE',
    request: () => head([]),
    app: (excess) => (_request, response) => {
      response.writeHead(200, { 'x-pad': 'x'.repeat(LIMITS.responseHeaderBytesMax - 1_024 + excess * 2_048) }).end('ok');
    },
  },
  {
    limit: 'responseInformationalMax',
    code: 'ROUTE_BAD_RESPONSE',
    request: () => head([]),
    app: (excess) => (_request, response) => {
      for (let index = 0; index < LIMITS.responseInformationalMax + excess; index++) response.writeProcessing();
      response.end('ok');
    },
  },
  {
    limit: 'loginBodyBytesMax',
    code: 'ROUTE_BODY_TOO_LARGE',
    // A form without its token is refused, but read.
    request: (excess) => form(LIMITS.loginBodyBytesMax + excess),
    within: ERRORS.CSRF_REFUSED.httpStatus,
  },
  {
    limit: 'loginUrlCharactersMax',
    code: 'LOGIN_REDIRECT_REFUSED',
    request: (excess) => head([], 'GET', `/_ah/login?continue=/${'x'.repeat(LIMITS.loginUrlCharactersMax - 1 + excess)}`),
  },
  {
    limit: 'routePatternStepsMax',
    code: 'ROUTE_BAD_REQUEST',
    request: (excess) => head([], 'GET', `/${'a'.repeat(excess ? 15_000 : 100)}`),
    version: { handlers: [{ kind: 'script', url: `/${'a*'.repeat(200)}b` }] },
  },
  {
    limit: 'holdQueueEntriesMax',
    code: 'ROUTE_QUEUE_FULL',
    request: () => head([]),
    failure: new PlatformError('ROUTE_QUEUE_FULL'),
  },
  {
    limit: 'pendingMsMax',
    code: 'ROUTE_PENDING_TIMEOUT',
    request: () => head([]),
    failure: new PlatformError('ROUTE_PENDING_TIMEOUT'),
  },
];

/** In so many writes, each of which is sent before the next. */
async function sendInParts(front: HttpFront, text: string, bytes: number): Promise<string> {
  const socket = front.connect().setNoDelay(true);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  for (let at = 0; at < text.length && socket.writable; at += bytes) {
    await new Promise((resolve) => socket.write(text.slice(at, at + bytes), 'latin1', resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await withBound(once(socket, 'close'), () => `no close after ${Buffer.concat(received).toString('latin1').slice(0, 500)}`);
  return Buffer.concat(received).toString('latin1');
}

describe('limits of HTTP', () => {
  let front: HttpFront;

  afterEach(async () => {
    await front.close();
  });

  const answer = async ({ version, app, failure, request }: LimitCase, excess: 0 | 1): Promise<string> => {
    front = await HttpFront.start(version ? { version } : {});
    await front.app(app?.(excess));
    if (excess === 1) front.instances.failure = failure;
    return front.send(request(excess));
  };

  it.each(cases)('$limit: within it is served', async (limitCase) => {
    const received = await answer(limitCase, 0);
    expect(statuses(received).at(-1)).toBe(limitCase.within ?? 200);
  });

  it.each(cases)('$limit: beyond it is $code', async (limitCase) => {
    const received = await answer(limitCase, 1);
    expect(statuses(received).at(-1)).toBe(ERRORS[limitCase.code].httpStatus);
    expect(received).toContain(`"code":"${limitCase.code}"`);
  });

  it.each([
    ['a URL of 20 KB', 414, head([], 'GET', `/?q=${'a'.repeat(20_000)}`)],
    [
      'a URL of 20 KB after a good request',
      414,
      `${head([]).replace(/Connection.*\r\n/, '')}${head([], 'GET', `/?q=${'a'.repeat(20_000)}`)}`,
    ],
    ['cookies of 20 KB', 431, head([`Cookie: ${'a=bcdefgh; '.repeat(2_000)}`])],
    ['many headers of 20 KB', 431, head(Array.from({ length: 1_000 }, (_, index) => `X-${index}: of some length`))],
  ])('%s: %i, in whatever parts it comes', async (_, status, request) => {
    front = await HttpFront.start();
    await front.app();
    for (const bytes of [request.length, 16_384, 1_460]) {
      expect(statuses(await sendInParts(front, request, bytes)).at(-1), `in parts of ${bytes}`).toBe(status);
    }
  });
});
