import { request as httpRequest } from 'node:http';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type DeployEvent, type VersionView } from '../sdk/contract/admin/admin.ts';
import { type LogRow } from '../sdk/contract/admin/logs.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type DatastoreApi, type LogQuery } from './ports.ts';
import { ConsoleServer } from './server.ts';

const TOKEN = 'owner-token-of-the-test';
const SHA = 'ab'.repeat(32);
const row = (text: string): LogRow => ({
  kind: 'app',
  atMs: 1,
  service: 'default',
  version: 'v1',
  instanceId: 'i',
  stream: 'stdout',
  text,
});
const version = (name: string): VersionView => ({
  appId: 'guestbook',
  service: 'default',
  version: name,
  url: `http://${name}-dot-default-dot-guestbook.localhost:8080/`,
  runtime: 'nodejs',
  createdAtMs: 1,
  trafficShare: 1,
  shardBy: 'ip' as const,
  instances: 2,
});
const account = { email: 'ada@example.com', createdAtMs: 1, adminOf: [] };
const app = { id: 'guestbook', url: 'http://guestbook.localhost:8080/', createdAtMs: 1, services: [], dispatch: [] };

const MAIL = {
  ...{ id: '0mf3kq2a1-5b0c9d2e4f61', sentAtMs: 1, from: 'a@b', to: ['c@d'], cc: [], bcc: [], subject: 's', text: 't' },
  ...{ bytes: 5, attachments: 0, state: 'spooled' as const, files: [] },
};
const CACHE_STATISTICS = { hits: 1, misses: 0, byteHits: 3, items: 1, bytes: 9, bytesMax: 99, oldestItemAgeMs: 5 };
const CACHE_ENTRY = { namespace: '', key: 'k', value: 'v', encoding: 'text' as const, bytes: 1 };

/** Answers what the test wants and notes what it was asked. */
class ScriptedApis implements ConsoleApis {
  readonly calls: unknown[] = [];
  readonly uploads: string[] = [];
  events: readonly DeployEvent[] = [];
  failure: Error | undefined;
  onRead: (query: LogQuery, signal: AbortSignal) => AsyncIterable<LogRow> = async function* () {
    yield row('a');
    yield row('b');
  };

  readonly apps = {
    status: () => ({
      release: '0.1.0',
      appUrlTemplate: 'http://{id}.localhost:8080/',
      sandbox: 'process' as const,
      warnings: ['No sandbox'],
    }),
    apps: () => this.#answer(['apps'], [app]),
    app: (id: string) => this.#answer(['app', id], app),
    versions: (id: string) => this.#answer(['versions', id], [version('v1')]),
    instances: (id: string) => this.#answer(['instances', id], []),
    stopInstance: (...names: string[]) => this.#answer(['stopInstance', ...names], undefined),
    deleteVersion: (...names: string[]) => this.#answer(['deleteVersion', ...names], undefined),
    setTraffic: (...given: unknown[]) => this.#answer(['setTraffic', ...given], [version('v1')]),
  };

  readonly versions = {
    changeVersion: (...given: unknown[]) => this.#answer(['changeVersion', ...given], version('v1')),
  };

  readonly deploys = {
    begin: (...given: unknown[]) => this.#answer(['begin', ...given], { deploymentId: 'd1', missing: [SHA] }),
    putBlob: async (appId: string, deploymentId: string, sha256: string, content: AsyncIterable<Uint8Array>) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      this.uploads.push(Buffer.concat(chunks).toString());
      return this.#answer(['putBlob', appId, deploymentId, sha256], undefined);
    },
    finish: async (appId: string, deploymentId: string, { onEvent }: { onEvent: (event: DeployEvent) => void }) => {
      await this.#answer(['finish', appId, deploymentId], undefined);
      for (const event of this.events) onEvent(event);
    },
  };

  readonly logs = {
    read: (appId: string, query: LogQuery, { signal }: { signal: AbortSignal }) => {
      this.calls.push(['read', appId, query]);
      return this.onRead(query, signal);
    },
  };

  readonly mail = {
    list: (...given: unknown[]) => this.#answer(['list', ...given], []),
    show: (...given: unknown[]) => this.#answer(['show', ...given], MAIL),
    raw: (...given: unknown[]) => this.#answer(['raw', ...given], Buffer.from('Subject: x')),
    attachment: (...given: unknown[]) => this.#answer(['attachment', ...given], { name: 'a.txt', bytes: Buffer.from('a') }),
    delete: (...given: unknown[]) => this.#answer(['delete', ...given], undefined),
  };

  readonly memcache = {
    statistics: (id: string) => this.#answer(['statistics', id], CACHE_STATISTICS),
    entry: (id: string, namespace: string, key: string) => this.#answer(['entry', id, namespace, key], CACHE_ENTRY),
    setEntry: (...given: unknown[]) => this.#answer(['setEntry', ...given], CACHE_ENTRY),
    deleteEntry: (...given: unknown[]) => this.#answer(['deleteEntry', ...given], undefined),
    flush: (id: string) => this.#answer(['flush', id], undefined),
  };

  readonly accounts = {
    list: () => this.#answer(['accounts'], []),
    add: (...given: unknown[]) => this.#answer(['add', ...given], account),
    change: (...given: unknown[]) => this.#answer(['change', ...given], account),
    delete: (...given: unknown[]) => this.#answer(['delete', ...given], undefined),
  };
  /** Tested by datastore-routes.test.ts. */
  readonly datastore = {} as DatastoreApi;

  #answer<T>(call: unknown[], answer: T): Promise<T> {
    this.calls.push(call);
    return this.failure ? Promise.reject(this.failure) : Promise.resolve(answer);
  }
}

let apis: ScriptedApis;
let log: MemoryLog;
const client = (hostNames: readonly string[] = []): ReturnType<typeof request> =>
  request(createConsoleApp(apis, systemTimers, log, { ownerToken: TOKEN, hostNames }));
const bearer = (token = TOKEN): Record<string, string> => ({ authorization: `Bearer ${token}` });

beforeEach(() => {
  apis = new ScriptedApis();
  log = new MemoryLog();
});

const ROUTES = [
  ['get', '/api/v1/apps'],
  ['get', '/api/v1/apps/guestbook'],
  ['delete', '/api/v1/apps/guestbook/services/default/versions/v1'],
  ['get', '/api/v1/apps/guestbook/versions'],
  ['get', '/api/v1/apps/guestbook/instances'],
  ['delete', '/api/v1/apps/guestbook/instances/ab12'],
  ['put', '/api/v1/apps/guestbook/services/default/traffic'],
  ['get', '/api/v1/accounts'],
  ['post', '/api/v1/accounts'],
  ['patch', '/api/v1/accounts/ada@example.com'],
  ['delete', '/api/v1/accounts/ada@example.com'],
  ['get', '/api/v1/apps/guestbook/logs'],
  ['post', '/api/v1/apps/guestbook/deployments'],
  ['put', `/api/v1/apps/guestbook/deployments/d1/blobs/${SHA}`],
  ['post', '/api/v1/apps/guestbook/deployments/d1/finish'],
  ['get', '/api/v1/apps/guestbook/mail'],
  ['get', '/api/v1/apps/guestbook/mail/0mf3kq2a1-5b0c9d2e4f61'],
  ['get', '/api/v1/apps/guestbook/mail/0mf3kq2a1-5b0c9d2e4f61/raw'],
  ['get', '/api/v1/apps/guestbook/mail/0mf3kq2a1-5b0c9d2e4f61/attachments/0'],
  ['delete', '/api/v1/apps/guestbook/mail/0mf3kq2a1-5b0c9d2e4f61'],
  ['get', '/api/v1/apps/guestbook/memcache'],
  ['get', '/api/v1/apps/guestbook/memcache/entry?key=k'],
  ['put', '/api/v1/apps/guestbook/memcache/entry'],
  ['delete', '/api/v1/apps/guestbook/memcache/entry?key=k'],
  ['post', '/api/v1/apps/guestbook/memcache/flush'],
  ['get', '/api/v1/nothing'],
  ['get', '/api/v1/apps/..%2f..%2fetc/versions'],
  ['get', '/api/v2/apps'],
  ['get', '/api'],
] as const;

describe('who may ask', () => {
  describe.each(ROUTES)('%s %s', (verb, path) => {
    it.each([
      ['no token', {}],
      ['a wrong token', bearer('wrong')],
      ['a token with something behind it', bearer(`${TOKEN}x`)],
      ['an empty token', { authorization: 'Bearer ' }],
      ['another scheme', { authorization: `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}` }],
      ['the bare token', { authorization: TOKEN }],
      ['a cookie', { cookie: `token=${TOKEN}` }],
    ])('is 401 with %s, and asks nobody', async (_, headers) => {
      const answer = await client()
        [verb](path)
        .set(headers)
        .send(verb === 'get' ? undefined : { split: { v1: 1 } });
      expect(answer.status).toBe(401);
      expect(answer.body).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(apis.calls).toEqual([]);
    });
  });

  it('tells the status to anyone', async () => {
    const answer = await client().get('/api/v1/status');
    expect(answer.body).toEqual({
      release: '0.1.0',
      appUrlTemplate: 'http://{id}.localhost:8080/',
      sandbox: 'process',
      warnings: ['No sandbox'],
    });
  });

  it.each(['evil.example', 'localhost.evil.example', 'a@localhost', '', 'localhost:8000:80'])('refuses the host %j', async (host) => {
    const answer = await client().get('/api/v1/status').set('host', host);
    expect(answer.status).toBe(421);
    expect(answer.body).toMatchObject({ error: { code: 'HOST_REFUSED' } });
  });

  it.each(['localhost', 'LOCALHOST:8000', '127.0.0.1:8000', '[::1]:8000', '192.168.1.2', 'console.example'])(
    'answers at the host %j',
    async (host) => {
      expect((await client(['Console.example']).get('/api/v1/status').set('host', host)).status).toBe(200);
    },
  );
});

describe('the admin API', () => {
  it.each([
    ['get', '/apps', { apps: [app] }, ['apps']],
    ['get', '/apps/guestbook', app, ['app', 'guestbook']],
    ['get', '/apps/guestbook/versions', { versions: [version('v1')] }, ['versions', 'guestbook']],
    ['get', '/apps/guestbook/instances', { instances: [] }, ['instances', 'guestbook']],
    ['delete', '/apps/guestbook/instances/ab12', {}, ['stopInstance', 'guestbook', 'ab12']],
    ['delete', '/apps/guestbook/services/api/versions/v1', {}, ['deleteVersion', 'guestbook', 'api', 'v1']],
  ] as const)('%s %s', async (verb, path, body, call) => {
    const answer = await client()[verb](`/api/v1${path}`).set(bearer());
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(body);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(apis.calls).toEqual([call]);
  });

  it('changes how a version runs', async () => {
    const patch = (body: object): request.Test =>
      client().patch('/api/v1/apps/guestbook/services/api/versions/v1').set(bearer()).send(body);
    const change = { isStopped: true, instances: 3 };
    expect((await patch(change)).body).toEqual(version('v1'));
    expect(apis.calls).toEqual([['changeVersion', 'guestbook', 'api', 'v1', change]]);
    for (const wrong of [{}, { instances: 0 }, { instances: 21 }, { instances: 1.5 }, { isStopped: 'yes' }, { split: {} }]) {
      expect((await patch(wrong)).status).toBe(400);
    }
    expect(apis.calls).toHaveLength(1);
  });

  it('sets traffic', async () => {
    const body = { split: { v1: 0.9, v2: 0.1 }, shardBy: 'cookie' };
    const answer = await client().put('/api/v1/apps/guestbook/services/default/traffic').set(bearer()).send(body);
    expect(answer.body).toEqual({ versions: [version('v1')] });
    expect(apis.calls).toEqual([['setTraffic', 'guestbook', 'default', body]]);
  });

  it.each([
    ['no body', undefined, /the body/],
    ['a wrong field', { split: { v1: 'much' } }, /"split.v1"/],
    ['an unknown field', { split: {}, extra: 1 }, /extra/],
    ['a wrong way', { split: {}, shardBy: 'moon' }, /"shardBy"/],
  ])('refuses %s with the field that does not fit', async (_, body, problem) => {
    const answer = await client().put('/api/v1/apps/guestbook/services/default/traffic').set(bearer()).send(body);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(problem) });
    expect(apis.calls).toEqual([]);
  });

  it('refuses broken JSON, forms, and bodies over the limit', async () => {
    const put = (): request.Test => client().put('/api/v1/apps/guestbook/services/default/traffic').set(bearer());
    expect((await put().type('json').send('{"split":')).body.error.message).toContain('not JSON');
    expect((await put().type('form').send('split=1')).status).toBe(400);
    const large = await put()
      .type('json')
      .send(`{"split":{"${'x'.repeat(100_000)}":1}}`);
    expect([large.status, large.body.error.code]).toEqual([413, 'BODY_TOO_LARGE']);
  });

  it.each([
    ['/apps/Guestbook', 'APP_ID_INVALID'],
    ['/apps/..%2f..%2fetc', 'APP_ID_INVALID'],
    [`/apps/${'a'.repeat(10_000)}/versions`, 'APP_ID_INVALID'],
    ['/apps/latest/instances', 'APP_ID_INVALID'],
    ['/apps/a%00b/logs', 'APP_ID_INVALID'],
    ['/apps/%E0%A4%A', 'INVALID_ARGUMENT'],
  ])('refuses %s', async (path, code) => {
    const answer = await client().get(`/api/v1${path}`).set(bearer());
    expect([answer.status, answer.body.error.code]).toEqual([400, code]);
    expect(apis.calls).toEqual([]);
  });

  it('refuses bad services and versions', async () => {
    for (const path of ['/apps/a/services/X/versions/v1', '/apps/a/services/default/versions/latest']) {
      const answer = await client().delete(`/api/v1${path}`).set(bearer());
      expect([answer.status, answer.body.error.code]).toEqual([400, 'LABEL_INVALID']);
    }
  });

  it.each(['a%2Fb', 'a b', 'x'.repeat(101)])('knows no instance %j', async (id) => {
    const answer = await client().delete(`/api/v1/apps/guestbook/instances/${id}`).set(bearer());
    expect([answer.status, answer.body.error.code]).toEqual([404, 'INSTANCE_NOT_FOUND']);
    expect(apis.calls).toEqual([]);
  });

  it('passes errors on with their status, and keeps to itself what it did not expect', async () => {
    apis.failure = new PlatformError('APP_NOT_FOUND', '"guestbook"');
    const missing = await client().get('/api/v1/apps/guestbook').set(bearer());
    expect([missing.status, missing.body]).toEqual([
      404,
      { error: { code: 'APP_NOT_FOUND', message: 'There is no such app: "guestbook"', mend: 'See `appengine apps list`', details: {} } },
    ]);
    apis.failure = new Error('secret path /root');
    const broken = await client().get('/api/v1/apps/guestbook').set(bearer());
    expect(broken.status).toBe(500);
    expect(JSON.stringify(broken.body)).not.toContain('secret');
    expect(log.lines.map(({ level }) => level)).toEqual(['error']);
  });

  it('is 404 in JSON where nothing is', async () => {
    const answer = await client().get('/api/v1/nothing').set(bearer());
    expect([answer.status, answer.body.error.code]).toEqual([404, 'NOT_FOUND']);
    expect((await client().get('/other')).body.error.code).toBe('NOT_FOUND');
    expect((await client().post('/').set(bearer())).status).toBe(404);
  });
});

describe('deploys', () => {
  const files = [{ path: 'app.yaml', sha256: SHA, bytes: 3, executable: false }];

  it('begin with a list of files', async () => {
    const answer = await client().post('/api/v1/apps/guestbook/deployments').set(bearer()).send({ files, promote: true });
    expect(answer.body).toEqual({ deploymentId: 'd1', missing: [SHA] });
    expect(apis.calls).toEqual([['begin', 'guestbook', { files, promote: true }]]);
  });

  it.each([
    [
      'too many files',
      { files: Array(LIMITS.deployFilesMax + 1).fill({ path: 'a', sha256: SHA, bytes: 1, executable: false }), promote: true },
    ],
    ['a wrong hash', { files: [{ path: 'a', sha256: 'x', bytes: 1, executable: false }], promote: true }],
    ['no promote', { files }],
  ])('refuse %s', async (_, body) => {
    expect((await client().post('/api/v1/apps/guestbook/deployments').set(bearer()).send(body)).status).toBeGreaterThanOrEqual(400);
    expect(apis.calls).toEqual([]);
  });

  it('stream each blob', async () => {
    const path = `/api/v1/apps/guestbook/deployments/d1/blobs/${SHA}`;
    const answer = await client().put(path).set(bearer()).type('application/octet-stream').send(Buffer.from('content'));
    expect([answer.status, answer.body]).toEqual([200, {}]);
    expect(apis.uploads).toEqual(['content']);
    expect(apis.calls).toEqual([['putBlob', 'guestbook', 'd1', SHA]]);
  });

  it('refuse a blob over the limit before it is read', async () => {
    const path = `/api/v1/apps/guestbook/deployments/d1/blobs/${SHA}`;
    const answer = await client()
      .put(path)
      .set(bearer())
      .type('application/octet-stream')
      .send(Buffer.alloc(LIMITS.deployFileBytesMax + 1))
      .catch(() => undefined);
    if (answer) expect(answer.status).toBe(413);
    expect(apis.calls).toEqual([]);
  });

  it('tell their progress line by line', async () => {
    apis.events = [
      { kind: 'step', step: 'validate', state: 'running', message: 'Checking' },
      { kind: 'output', step: 'build', line: 'a "quoted"\nline' },
    ];
    const answer = await client().post('/api/v1/apps/guestbook/deployments/d1/finish').set(bearer()).buffer(true);
    expect(answer.headers['content-type']).toContain('application/x-ndjson');
    expect(
      answer.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(apis.events);
  });

  it('answer 409 when they cannot begin', async () => {
    apis.failure = new PlatformError('DEPLOY_CONFLICT');
    const answer = await client().post('/api/v1/apps/guestbook/deployments/d1/finish').set(bearer());
    expect([answer.status, answer.body.error.code]).toEqual([409, 'DEPLOY_CONFLICT']);
  });
});

describe('logs', () => {
  it('are rows, one a line, filtered as asked', async () => {
    const answer = await client()
      .get('/api/v1/apps/guestbook/logs?lines=5&source=app&version=v1&service=api&text=a%20B')
      .set(bearer())
      .buffer(true);
    expect(answer.text).toBe(`${JSON.stringify(row('a'))}\n${JSON.stringify(row('b'))}\n`);
    expect(apis.calls.at(-1)).toEqual([
      'read',
      'guestbook',
      { lines: 5, source: 'app', version: 'v1', service: 'api', text: 'a B', follow: false, marks: false },
    ]);
  });

  it.each(['lines=-1', 'lines=1e9', 'lines=99999', 'source=x', 'follow=yes', 'other=1', 'lines=1&lines=2', `text=${'x'.repeat(201)}`])(
    'refuse ?%s',
    async (query) => {
      expect((await client().get(`/api/v1/apps/guestbook/logs?${query}`).set(bearer())).status).toBe(400);
    },
  );

  it('stop reading when the reader goes away', async () => {
    const server = new ConsoleServer(apis, systemTimers, log, { ownerToken: TOKEN });
    await server.start({ host: '127.0.0.1', port: 0 });
    let isOver = false;
    apis.onRead = async function* (_query, signal) {
      yield row('first');
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      });
      isOver = true;
    };
    const reading = httpRequest({ port: server.port, path: '/api/v1/apps/guestbook/logs?follow=1', headers: bearer() });
    const firstChunk = await new Promise<string>((resolve) => {
      reading.on('response', (response) => response.once('data', (chunk: Buffer) => resolve(chunk.toString())));
      reading.end();
    });
    expect(firstChunk).toContain('"first"');
    reading.on('error', () => undefined);
    reading.destroy();
    await expect.poll(() => isOver).toBe(true);
    await server.close();
  });
});

describe('ConsoleServer', () => {
  it('says which port is busy, and closes twice without harm', async () => {
    const first = new ConsoleServer(apis, systemTimers, log, { ownerToken: TOKEN });
    await first.start({ host: '127.0.0.1', port: 0 });
    const second = new ConsoleServer(apis, systemTimers, log, { ownerToken: TOKEN });
    await expect(second.start({ host: '127.0.0.1', port: first.port })).rejects.toMatchObject({ code: 'PORT_BUSY' });
    await first.close();
    await first.close();
  });
});
