// HTTPS at the router's own port: HTTP/1.1 and HTTP/2 by ALPN, both served by the same dispatcher under the same rules.
import { once } from 'node:events';
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { FixedCertificates } from '../../router/tls.ts';
import { HttpFront, until } from '../hostile/http-front.ts';
import { type TestCertificate, testCertificate } from './test-certificate.ts';

let certificate: TestCertificate;
let certificates: FixedCertificates;
let front: HttpFront;
let session: ClientHttp2Session;

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly trailers: Record<string, unknown> | undefined;
}

const HOST = 'hello.localhost';

const open = (port = front.port): ClientHttp2Session => {
  const opened = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.cert });
  opened.on('error', () => undefined);
  return opened;
};

const start = async (options: Parameters<typeof HttpFront.start>[0] = {}): Promise<void> => {
  front = await HttpFront.start({ certificates, ...options });
  session = open();
};

const ask = (headers: OutgoingHttpHeaders, body?: string | Buffer): ClientHttp2Stream => {
  const stream = session.request({ ':authority': HOST, ':path': '/', ...headers }, { endStream: body === undefined });
  stream.on('error', () => undefined);
  if (body !== undefined) stream.end(body);
  return stream;
};

const answerOf = async (stream: ClientHttp2Stream): Promise<Answer> => {
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> | undefined;
  const chunks: Buffer[] = [];
  stream.on('response', (given) => (headers = given));
  stream.on('trailers', (given: Record<string, unknown>) => (trailers = Object.fromEntries(Object.entries(given))));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.on('close', resolve));
  return { headers, body: Buffer.concat(chunks).toString(), trailers };
};

beforeAll(() => {
  certificate = testCertificate();
});

beforeEach(() => {
  certificates = new FixedCertificates(certificate);
});

afterEach(async () => {
  session.destroy();
  await front.close();
  expect(front.instances.leasesOpen, 'leases open').toBe(0);
});

describe('HTTP/2', () => {
  it('reaches the app as a request of HTTP/1.1, cookies in one line, and comes back', async () => {
    await start();
    await front.app((request, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('Connection', 'X-Hop').setHeader('X-Hop', '1');
      response.setHeader('Content-Encoding', 'gzip').end(`${request.url} ${request.headers.cookie}`);
    });
    const answer = await answerOf(ask({ ':path': '/a?b=c', cookie: ['x=1', 'y=2'], 'user-agent': 'test/2' }));
    expect(answer).toMatchObject({ headers: { ':status': 200, 'set-cookie': ['a=1', 'b=2'], 'content-encoding': 'gzip' } });
    expect(answer.body).toBe('/a?b=c x=1; y=2');
    expect(answer.headers).not.toHaveProperty('x-hop');
    expect(front.seen[0]?.headers).toMatchObject({
      host: HOST,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
      'x-appengine-https': 'on',
    });
    const [row] = await front.requestLog.atLeast(1);
    expect(row).toMatchObject({ appId: 'hello', status: 200, target: '/a?b=c', host: HOST, userAgent: 'test/2' });
  });

  it('streams many bodies at once, both ways, unchanged', async () => {
    await start();
    await front.app((request, response) => {
      response.setHeader('X-Length', request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? '');
      request.pipe(response);
    });
    const bodies = Array.from({ length: 10 }, (_, index) => Buffer.alloc(700_000 + index, index));
    const answers = await Promise.all(bodies.map(async (body) => answerOf(ask({ ':method': 'POST' }, body))));
    expect(answers.map(({ headers }) => headers['x-length'])).toEqual(bodies.map(() => 'chunked'));
    for (const [index, answer] of answers.entries()) expect(answer.body === bodies[index]?.toString()).toBe(true);
    const sized = await answerOf(ask({ ':method': 'PUT', 'content-length': 5 }, 'hello'));
    expect(sized).toMatchObject({ headers: { 'x-length': '5' }, body: 'hello' });
  });

  it('passes on each event of a stream when it comes', async () => {
    await start();
    let send: ((text: string) => void) | undefined;
    await front.app((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
      send = (text) => response.write(text);
    });
    const stream = ask({});
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream' });
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      const came = once(stream, 'data');
      send?.(text);
      expect(String((await came)[0])).toBe(text);
    }
    stream.close();
    await front.requestLog.atLeast(1);
  });

  it('passes bytes above 127 of a header unchanged', async () => {
    await start();
    await front.rawApp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Name: caf\u00e9 \u00ff\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'latin1');
    });
    expect((await answerOf(ask({}))).headers['x-name']).toBe('caf\u00e9 \u00ff');
  });

  it('answers HEAD, 204 and 304 without a body', async () => {
    await start();
    await front.app((request, response) => {
      response.statusCode = Number(request.url?.slice(1)) || 200;
      if (response.statusCode === 200) response.setHeader('Content-Length', '4');
      response.setHeader('X-A', 'b').end(response.statusCode === 200 ? 'body' : undefined);
    });
    expect(await answerOf(ask({ ':method': 'HEAD' }))).toMatchObject({ headers: { ':status': 200, 'content-length': '4' }, body: '' });
    for (const status of [204, 304]) {
      expect(await answerOf(ask({ ':path': `/${status}` }))).toMatchObject({ headers: { ':status': status, 'x-a': 'b' }, body: '' });
    }
  });

  it.each([
    ['just within its limit', 200, { ':path': `/${'a'.repeat(LIMITS.requestUrlBytesMax - 1)}` }],
    ['just beyond it', 414, { ':path': `/${'a'.repeat(LIMITS.requestUrlBytesMax)}` }],
    ['longer than a whole head', 414, { ':path': `/${'a'.repeat(20_000)}` }],
    ['short, with headers that are too long', 431, { 'x-a': 'a'.repeat(20_000) }],
  ])('a URL that is %s: %i', async (_, status, headers) => {
    await start();
    await front.app();
    const { headers: got, body } = await answerOf(ask({ accept: 'text/html', ...headers }));
    expect(got[':status']).toBe(status);
    expect(front.seen).toHaveLength(status === 200 ? 1 : 0);
    if (status === 414) expect(body).toContain('<code>ROUTE_URL_TOO_LONG</code>');
    expect((await answerOf(ask({}))).headers[':status']).toBe(200);
  });

  it('tells the app when one stream is cancelled, and goes on with the others', async () => {
    await start();
    let isLeft = false;
    await front.app((request, response) => {
      if (request.url === '/slow') response.on('close', () => (isLeft = !response.writableFinished));
      else response.end('fast');
    });
    const slow = ask({ ':path': '/slow' });
    await until(() => front.seen.length === 1);
    slow.close(constants.NGHTTP2_CANCEL);
    await until(() => isLeft);
    expect((await answerOf(ask({}))).body).toBe('fast');
    const rows = await front.requestLog.atLeast(2);
    expect(rows.map(({ status }) => status).sort()).toEqual([200, 499]);
  });

  it('resets a stream whose instance dies in the middle of its answer, and no other', async () => {
    await start();
    await front.app((request, response) => {
      response.write('part');
      if (request.url === '/dies') setImmediate(() => response.destroy());
      else response.end();
    });
    const stream = ask({ ':path': '/dies' });
    const answer = await answerOf(stream);
    expect(answer.body).toBe('part');
    expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect((await answerOf(ask({}))).body).toBe('part');
  });

  it('sends 100 when the app takes the body, not before', async () => {
    await start();
    await front.app((request, response) => request.pipe(response));
    const stream = session.request({ ':authority': HOST, ':path': '/', ':method': 'POST', expect: '100-continue' });
    stream.on('continue', () => stream.end('hello'));
    expect(await answerOf(stream)).toMatchObject({ headers: { ':status': 200 }, body: 'hello' });
    const elsewhere = session.request({ ':authority': 'none.localhost', ':path': '/', ':method': 'POST', expect: '100-continue' });
    let isAsked = false;
    elsewhere.on('continue', () => (isAsked = true));
    expect((await answerOf(elsewhere)).headers[':status']).toBe(404);
    expect(isAsked).toBe(false);
  });

  it('passes trailers both ways to who reads them', async () => {
    await start();
    let received: unknown;
    await front.app((request, response) => {
      request.on('end', () => {
        received = request.trailers;
        response.setHeader('Trailer', 'Grpc-Status, Host').write('x');
        response.addTrailers({ 'Grpc-Status': '0', 'Content-Type': 'text/evil', 'X-Appengine-User-Email': 'evil' });
        response.end();
      });
      request.resume();
    });
    const send = (headers: OutgoingHttpHeaders): ClientHttp2Stream => {
      const options = { ':authority': HOST, ':path': '/', ':method': 'POST', trailer: 'x-sum, x-appengine-user-email', ...headers };
      const stream = session.request(options, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc', 'x-appengine-user-email': 'root', cookie: 'evil' }));
      stream.end('body');
      return stream;
    };
    const answer = await answerOf(send({ te: 'trailers' }));
    expect(answer.headers['trailer']).toBe('grpc-status');
    expect(answer.trailers).toEqual({ 'grpc-status': '0' });
    expect(received).toEqual({ 'x-sum': 'abc' });
    expect(front.seen[0]?.headers).toMatchObject({ te: 'trailers', trailer: 'x-sum' });
    const plain = await answerOf(send({}));
    expect(plain).toMatchObject({ body: 'x', trailers: undefined });
    expect(plain.headers).not.toHaveProperty('trailer');
  });

  it('lets what is under way finish when the router stops', async () => {
    await start();
    let finish: (() => void) | undefined;
    await front.app((_request, response) => (finish = () => response.end('late')));
    const answer = answerOf(ask({}));
    await until(() => finish !== undefined);
    const goaway = once(session, 'goaway');
    const closed = front.router.close();
    await goaway;
    finish?.();
    expect((await answer).body).toBe('late');
    await closed;
  });
});

describe('HTTP/1.1 over TLS', () => {
  const get = (path: string, headers: Record<string, string> = {}): Promise<IncomingMessage & { readonly text: string }> =>
    new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        { host: '127.0.0.1', port: front.port, path, ca: certificate.cert, agent: false, headers: { host: HOST, ...headers } },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () => resolve(Object.assign(response, { text })));
        },
      );
      outgoing.on('error', reject).end();
    });

  it('is served under the same rules', async () => {
    await start();
    await front.app();
    expect(await get('/')).toMatchObject({ statusCode: 200, text: 'ok', httpVersion: '1.1' });
    expect(front.seen[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-appengine-https': 'on' });
  });

  it('carries WebSockets', async () => {
    await start();
    const socketsOfApp = await front.rawApp((socket, text) => {
      if (text.startsWith('GET')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      else socket.write(text.toUpperCase());
    });
    const client = await secure(['http/1.1']);
    client.write(
      `GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /);
    client.write('over tls');
    expect(String((await once(client, 'data'))[0])).toBe('OVER TLS');
    client.destroy();
    await Promise.all(socketsOfApp.map(async (socket) => socket.destroyed || once(socket, 'close')));
    expect(await front.requestLog.atLeast(1)).toMatchObject([{ status: 101 }]);
  });

  it('takes a new certificate without closing what is open', async () => {
    await start();
    await front.app();
    const before = await secure(['http/1.1']);
    const renewed = testCertificate('renewed.localhost');
    certificates.set(renewed);
    const after = connectTls({ port: front.port, host: '127.0.0.1', ca: renewed.cert, ALPNProtocols: ['http/1.1'] });
    await once(after, 'secureConnect');
    expect(after.getPeerCertificate().subject.CN).toBe('renewed.localhost');
    after.destroy();
    before.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(String((await once(before, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    before.destroy();
  });

  it('redirects between HTTP and HTTPS as handlers say, where both are served', async () => {
    const handlers = [
      { kind: 'script', url: '/safe', secure: 'always' },
      { kind: 'script', url: '/plain', secure: 'never' },
    ] as const;
    await start({ version: { handlers }, servesHttp: true });
    await front.app();
    const plain = (path: string): Promise<IncomingMessage> =>
      new Promise((resolve) => {
        const options = { host: '127.0.0.1', port: front.httpPort, path, agent: false, headers: { host: `${HOST}:${front.httpPort}` } };
        httpRequest(options, (response) => resolve(response.resume())).end();
      });
    expect(await plain('/safe?a=b')).toMatchObject({ statusCode: 302, headers: { location: `https://${HOST}:${front.port}/safe?a=b` } });
    expect(await plain('/plain')).toMatchObject({ statusCode: 200 });
    expect(await get('/safe')).toMatchObject({ statusCode: 200 });
    expect(await get('/plain')).toMatchObject({ statusCode: 302, headers: { location: `http://${HOST}:${front.httpPort}/plain` } });
  });

  it('redirects nowhere that is not served', async () => {
    await start({ version: { handlers: [{ kind: 'script', url: '/.*', secure: 'never' }] } });
    await front.app();
    expect(await get('/plain')).toMatchObject({ statusCode: 200 });
  });
});

const secure = async (ALPNProtocols: string[]): Promise<TLSSocket> => {
  const socket = connectTls({ port: front.port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
};
