import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type V1Identity } from './identity.ts';
import { openPort, type OpenPort, type PortOptions } from './port-fixture.ts';
import { decode, encode, messageType, type Plain } from '../messages/v1-fixture.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** By Node's own client, which sends the headers that it is told and no others of note. */
const ask = (
  { port, path: socketPath }: OpenPort,
  { method = 'POST', path = '/v1/projects/shop:lookup', headers = {}, body }: Ask,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const target = port === 0 ? { socketPath } : { host: '127.0.0.1', port };
    const request = httpRequest({ ...target, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };
const errorOf = ({ body }: Answer) => (JSON.parse(body.toString()) as { readonly error: Plain }).error;
const google = messageType;

describe('HTTP with protobuf', () => {
  it('brings the bytes to the service, with the project of the URL', async () => {
    const port = await openPort();
    port.service.answer = () => encode(google('LookupResponse'), { transaction: Buffer.from('t') });
    const body = encode(google('LookupRequest'), { projectId: 'other', keys: [{ path: [{ kind: 'K', name: 'a' }] }] });
    const answer = await ask(port, { path: '/v1/projects/example.com%3Ashop:lookup', headers: PROTOBUF, body });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/x-protobuf' } });
    expect(decode(google('LookupResponse'), answer.body)).toEqual({ transaction: 'dA==' });
    const { method, request } = port.service.seen[0] ?? { method: undefined, request: Buffer.alloc(0) };
    expect(method).toBe('Lookup');
    expect(decode(google('LookupRequest'), request)).toEqual({
      projectId: 'example.com:shop',
      keys: [{ path: [{ kind: 'K', name: 'a' }] }],
    });
  });

  it('answers errors as google.rpc.Status, of exactly that content type', async () => {
    const port = await openPort();
    port.service.answer = () => Promise.reject(new PlatformError('DS_ALREADY_EXISTS', 'Task:"ö"'));
    const answer = await ask(port, { path: '/v1/projects/shop:commit', headers: PROTOBUF });
    expect(answer).toMatchObject({ status: 409, headers: { 'content-type': 'application/x-protobuf' } });
    // code 6, message
    expect(answer.body).toEqual(Buffer.concat([Buffer.from([8, 6, 18, 32]), Buffer.from('entity already exists: Task:"ö"')]));
  });

  it('takes gzip', async () => {
    const port = await openPort();
    const body = gzipSync(encode(google('LookupRequest'), { databaseId: 'db' }));
    expect((await ask(port, { headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body })).status).toBe(200);
    expect(decode(google('LookupRequest'), port.service.seen[0]?.request ?? Buffer.alloc(0))).toEqual({
      projectId: 'shop',
      databaseId: 'db',
    });
    const broken = await ask(port, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: '{}' });
    expect(errorOf(broken)).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT', message: expect.stringContaining('gzip') });
  });
});

describe('HTTP with JSON', () => {
  it.each([
    ['FAILED_PRECONDITION', 'DS_NEED_INDEX', 400],
    ['NOT_FOUND', 'DS_NOT_FOUND', 404],
    ['ABORTED', 'DS_TX_CONFLICT', 409],
    ['PERMISSION_DENIED', 'DS_FORBIDDEN', 403],
    ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', 429],
    ['CANCELLED', 'CANCELLED', 499],
    ['UNAVAILABLE', 'DS_CLOSED', 503],
    ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 504],
    ['INVALID_ARGUMENT', 'DS_TX_INVALID', 400],
  ] as const)('answers %s with the status that the API gives it', async (status, code, httpStatus) => {
    const port = await openPort();
    port.service.answer = () => Promise.reject(new PlatformError(code, 'why\nnot'));
    const answer = await ask(port, { headers: JSON_TYPE, body: '{}' });
    expect(answer.status).toBe(httpStatus);
    expect(errorOf(answer)).toEqual({ code: httpStatus, status, message: new PlatformError(code, 'why\nnot').message });
  });

  it('maps the messages', async () => {
    const port = await openPort();
    port.service.answer = () => encode(google('RunQueryResponse'), { batch: { moreResults: 'NO_MORE_RESULTS' } });
    const body = JSON.stringify({ projectId: 'other', gql_query: { queryString: 'SELECT *' } });
    const named = await ask(port, {
      path: '/v1/projects/shop:runQuery',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body,
    });
    expect(JSON.parse(named.body.toString())).toEqual({ batch: { moreResults: 'NO_MORE_RESULTS' } });
    expect(decode(google('RunQueryRequest'), port.service.seen[0]?.request ?? Buffer.alloc(0))).toEqual({
      projectId: 'shop',
      gqlQuery: { queryString: 'SELECT *' },
    });
    const numbered = await ask(port, { path: '/v1/projects/shop:runQuery?$alt=json%3Benum-encoding=int', headers: JSON_TYPE, body });
    expect(JSON.parse(numbered.body.toString())).toEqual({ batch: { moreResults: 3 } });
  });

  it('takes an empty body, with and without a type', async () => {
    const port = await openPort();
    port.service.answer = () => Buffer.alloc(0);
    expect(await ask(port, { headers: JSON_TYPE })).toMatchObject({ status: 200, body: Buffer.from('{}') });
    expect(await ask(port, {})).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });

  it('names the place of a mistake, and asks nobody', async () => {
    const port = await openPort();
    const answer = await ask(port, { headers: JSON_TYPE, body: '{"keys":[{"path":[{"id":"x"}]}]}' });
    expect(errorOf(answer)).toMatchObject({
      code: 400,
      status: 'INVALID_ARGUMENT',
      message: expect.stringContaining('keys[0].path[0].id'),
    });
    expect(port.service.seen).toEqual([]);
  });

  it('says no more than that of a failure of ours, and logs it once with the method', async () => {
    const port = await openPort();
    port.service.answer = () => Promise.reject(new Error('secret: /data/store'));
    expect(errorOf(await ask(port, {}))).toEqual({ code: 500, status: 'INTERNAL', message: 'Something in the platform failed' });
    // Not the service's, but an answer that is no message.
    port.service.answer = () => Buffer.from([0xff]);
    expect(errorOf(await ask(port, {}))).toEqual({ code: 500, status: 'INTERNAL', message: 'Something in the platform failed' });
    expect(port.log.lines).toMatchObject([
      { level: 'error', fields: { method: 'Lookup' } },
      { level: 'error', fields: { method: 'Lookup' } },
    ]);
  });

  it("aborts the caller's signal when the client goes away", async () => {
    const port = await openPort();
    const { service } = port;
    service.answer = () => new Promise(() => undefined);
    const socket = connect({ host: '127.0.0.1', port: port.port });
    const commit = 'POST /v1/projects/shop:commit HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n';
    // The second waits for its turn to be answered.
    socket.write(commit.repeat(2));
    await expect.poll(() => service.seen.length).toBe(2);
    const signals = service.seen.map(({ caller }) => caller.signal);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    socket.destroy();
    await expect.poll(() => signals.map(({ reason }) => reason as unknown)).toMatchObject([{ code: 'CANCELLED' }, { code: 'CANCELLED' }]);
  });
});

describe('requests that are no calls', () => {
  it.each(['/', '/healthz', '/readyz'])('GET %s says Ok', async (path) => {
    const port = await openPort();
    expect(await ask(port, { method: 'GET', path })).toMatchObject({ status: 200, body: Buffer.from('Ok\n') });
    expect(await ask(port, { method: 'HEAD', path })).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  it('are refused in words', async () => {
    const port = await openPort();
    expect(await ask(port, { path: '/nothing' })).toMatchObject({ status: 404, body: Buffer.from('Not Found\n') });
    expect(await ask(port, { method: 'GET' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect(await ask(port, { method: 'DELETE', path: '/' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    const form = await ask(port, { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' });
    expect(errorOf(form)).toMatchObject({
      code: 415,
      message: expect.stringMatching(/"application\/x-www-form-urlencoded"; want application\/x-protobuf or application\/json/),
    });
    const coding = await ask(port, { headers: { ...JSON_TYPE, 'content-encoding': 'br' }, body: 'x' });
    expect(errorOf(coding)).toMatchObject({ code: 415, message: expect.stringContaining('"br"; want gzip') });
    expect(port.service.seen).toEqual([]);
  });

  it('never allow other origins', async () => {
    const port = await openPort();
    const preflight = await ask(port, {
      method: 'OPTIONS',
      headers: { origin: 'http://localhost:3000', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(403);
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('who asks over HTTP', () => {
  const byToken = async (options: PortOptions = {}) =>
    openPort({
      ...options,
      authenticate: ({ authorization }): V1Identity => {
        if (authorization !== 'Bearer a') throw new PlatformError('DS_FORBIDDEN', 'no token');
        return { appOf: () => 'app-a', isProven: true };
      },
    });

  it('is told by the Authorization header, before the body is read', async () => {
    const port = await byToken({ limits: { jsonBytesMax: 1 } });
    expect((await ask(port, { body: '{}' })).status).toBe(403);
    expect((await ask(port, { headers: { authorization: 'Bearer a' }, body: '{}' })).status).toBe(413);
    expect((await ask(port, { headers: { authorization: 'Bearer a' } })).status).toBe(200);
    expect(port.service.seen[0]?.caller.appOf('any')).toBe('app-a');
  });

  it('may name the port as it likes with a token, which no page has', async () => {
    const port = await byToken();
    expect((await ask(port, { headers: { host: 'datastore.lan' } })).status).toBe(403);
    expect((await ask(port, { headers: { host: 'datastore.lan', authorization: 'Bearer a' } })).status).toBe(200);
  });
});

describe("the emulator's surface", () => {
  const ran = () => {
    const calls: string[] = [];
    return { calls, surface: { reset: async () => void calls.push('reset'), shutdown: () => void calls.push('shutdown') } };
  };

  it('does what it was given', async () => {
    const { calls, surface } = ran();
    const port = await openPort({ surface });
    expect(await ask(port, { path: '/reset' })).toMatchObject({ status: 200 });
    expect(calls).toEqual(['reset']);
    expect(await ask(port, { path: '/shutdown' })).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await expect.poll(() => calls).toEqual(['reset', 'shutdown']);
  });

  it.each(['/reset', '/shutdown'])('refuses POST %s with words where it was given nothing', async (path) => {
    const port = await openPort();
    const answer = await ask(port, { path });
    expect(answer.status).toBe(403);
    expect(errorOf(answer)).toMatchObject({ status: 'PERMISSION_DENIED', message: expect.stringMatching(/--ephemeral or --allow-reset/) });
  });

  it('is not for who may reach only some apps', async () => {
    const { calls, surface } = ran();
    const port = await openPort({ surface, authenticate: () => ({ appOf: () => 'app-a', isProven: true }) });
    expect((await ask(port, { path: '/reset' })).status).toBe(403);
    expect((await ask(port, { path: '/shutdown' })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it('is not for web pages', async () => {
    const { calls, surface } = ran();
    const port = await openPort({ surface });
    expect((await ask(port, { path: '/reset', headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await ask(port, { path: '/reset', headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
    expect((await ask(port, { path: '/reset', headers: { host: 'evil.example' } })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it('tells when a reset fails', async () => {
    const port = await openPort({ surface: { reset: () => Promise.reject(new PlatformError('DS_CLOSED')) } });
    expect((await ask(port, { path: '/reset' })).status).toBe(503);
  });
});
