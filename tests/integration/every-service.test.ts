// One app that calls every service, in a sandbox of a real platform; its answers are read over HTTP.
// A service that joins the table joins here too: tests/architecture/service-list.test.ts looks for its name.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MailSummaryView } from '../../sdk/contract/admin/data.ts';
import { PlatformProcess, waitFor } from './platform-process.ts';

const SERVER = `
const appengine = require('appengine');
const { appIdentity, datastore, images, mail, memcache, taskQueue, urlFetch, users } = appengine;
const http = require('node:http');

const done = [];
const routes = {
  async datastore() {
    const key = await datastore.put({ key: datastore.key('Thing'), properties: { n: 2 ** 40, at: new Date(0), tags: ['a', null] } });
    const { entities } = await datastore.gql('SELECT * FROM Thing WHERE n > @1', [5]);
    return { isComplete: key.isComplete, n: entities[0].properties.n, tags: entities[0].properties.tags };
  },
  async memcache() {
    await memcache.set('greeting', { hello: 'world' });
    return { value: await memcache.get('greeting'), visits: await memcache.incr('visits', 1, { initial: 41 }) };
  },
  async mail({ hostname }) {
    return mail.send({ from: 'Robot <robot@' + hostname + '>', to: 'ada@example.com', subject: 'Every service', text: 'works' });
  },
  async images({ body }) {
    const { width, height, format, image } = await images.transform(body, [{ kind: 'resize', width: 10 }], { format: 'webp' });
    return { before: await images.metadata(body), width, height, format, signature: Buffer.from(image).toString('latin1', 8, 12) };
  },
  async urlfetch({ target }) {
    const { status, content } = await urlFetch.fetch(target + '/sdk', { method: 'POST', payload: 'by the SDK', followRedirects: false });
    return { status, ...JSON.parse(Buffer.from(content).toString()) };
  },
  async fetch({ target }) {
    const response = await fetch(target + '/fetch', { method: 'POST', body: 'by fetch' });
    return { status: response.status, ...(await response.json()) };
  },
  http({ target }) {
    return new Promise((resolve, reject) => {
      const outgoing = http.request(target + '/http', { method: 'POST' }, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode, ...JSON.parse(text) });
      });
      outgoing.on('error', reject);
      outgoing.end('by http');
    });
  },
  async refused() {
    return { code: await urlFetch.fetch('http://10.255.255.1/').then(() => 'reached', (error) => error.code) };
  },
  async users({ request }) {
    return { user: users.currentUser(request) ?? null, login: await users.loginUrl('/after') };
  },
  async taskqueue() {
    return taskQueue.add({ url: '/task', params: { n: 7 } });
  },
  async app_identity() {
    return { asked: await appIdentity.get(), own: appengine.instance.applicationId };
  },
  done: () => done,
};

http.createServer(async (request, response) => {
  const { pathname, searchParams, hostname } = new URL(request.url, 'http://' + request.headers.host);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (pathname === '/task') {
    done.push({ queue: request.headers['x-appengine-queuename'], body: body.toString() });
    response.end();
    return;
  }
  try {
    const answer = await routes[pathname.slice(1)]({ request, body, hostname, target: searchParams.get('target') });
    response.end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ code: error.code, message: error.message, cause: String(error.cause) }));
  }
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let app: string;
/** Says what it was sent. */
let target: Server;

beforeAll(async () => {
  target = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { method, url, headers } = request;
      response.writeHead(201).end(JSON.stringify({ method, url, body, app: headers['x-appengine-inbound-appid'] }));
    });
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  app = await mkdtemp(join(tmpdir(), 'every-'));
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs20\nautomatic_scaling:\n  max_instances: 1\n');
  await writeFile(join(app, 'server.js'), SERVER);
  platform = await PlatformProcess.start('--fetch-allow', '127.0.0.1/32');
  await platform.appengineJson('deploy', app, '--app', 'every');
});

afterAll(async () => {
  await platform.remove();
  target.close();
  await rm(app, { recursive: true });
});

async function ask(name: string, body?: Uint8Array): Promise<unknown> {
  // Written so, it is not what a program in the sandbox takes for itself.
  const address = `http://[::ffff:127.0.0.1]:${(target.address() as AddressInfo).port}`;
  const answer = await platform.http('every', `/${name}?target=${encodeURIComponent(address)}`, {
    msMax: 60_000,
    ...(body === undefined ? {} : { body, method: 'POST' }),
  });
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as unknown;
}

test('datastore', async () => {
  expect(await ask('datastore')).toEqual({ isComplete: true, n: 2 ** 40, tags: ['a', null] });
});

test('memcache', async () => {
  expect(await ask('memcache')).toEqual({ value: { hello: 'world' }, visits: 42 });
  expect(await ask('memcache')).toMatchObject({ visits: 43 });
});

test('mail', async () => {
  const { id } = (await ask('mail')) as { id: string };
  const { messages } = await platform.appengineJson<{ messages: MailSummaryView[] }>('mail', 'list', '--app', 'every');
  expect(messages).toMatchObject([{ id, to: ['ada@example.com'], subject: 'Every service' }]);
});

test('images', async () => {
  const picture = await sharp({ create: { width: 40, height: 20, channels: 3, background: '#1a56c4' } })
    .png()
    .toBuffer();
  expect(await ask('images', picture)).toEqual({
    before: { format: 'png', width: 40, height: 20, frames: 1, orientation: 1, hasAlpha: false },
    ...{ width: 10, height: 5, format: 'webp', signature: 'WEBP' },
  });
});

test.each([
  ['urlfetch', '/sdk', 'by the SDK'],
  ['fetch', '/fetch', 'by fetch'],
  ['http', '/http', 'by http'],
])('%s reaches an address that the operator allows', async (name, url, body) => {
  expect(await ask(name)).toEqual({ status: 201, method: 'POST', url, body, app: 'every' });
});

test('urlfetch reaches no other private address', async () => {
  expect(await ask('refused')).toEqual({ code: 'FETCH_ADDRESS_REFUSED' });
});

test('users', async () => {
  expect(await ask('users')).toEqual({ user: null, login: expect.stringContaining('/_ah/login?continue=') });
});

test('taskqueue', async () => {
  expect(await ask('taskqueue')).toMatchObject({ name: expect.any(String) });
  const done = await waitFor('the task to be done', async () => {
    const all = (await ask('done')) as readonly unknown[];
    return all.length > 0 && all;
  });
  expect(done).toEqual([{ queue: 'default', body: 'n=7' }]);
});

test('app_identity', async () => {
  expect(await ask('app_identity')).toMatchObject({
    asked: { applicationId: 'every', service: 'default', defaultVersionHostname: 'every.localhost' },
    own: 'every',
  });
});
