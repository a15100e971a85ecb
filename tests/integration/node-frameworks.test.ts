// Programs of several frameworks as their manuals say to write them, on every Node that apps may ask for: what they answer,
// and how they reach the outside. None of them knows of the platform.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { PlatformProcess, root } from './platform-process.ts';

const NODE_MAJORS = [20, 22, 24];
/** One framework a runtime is enough of a matrix: each framework, and each Node, is here at least once. */
const FRAMEWORKS = [
  ['plain', 'cjs', 20],
  ['express', 'cjs', 20],
  ['fastify', 'mjs', 22],
  ['koa', 'cjs', 24],
  ['hono', 'mjs', 22],
  ['hapi', 'cjs', 24],
] as const;

const TYPESCRIPT = `
import express, { type Request, type Response } from 'express';
import { Visits } from './lib/visits.ts';

enum Colour { Red = 'red' }
const app = express();
const visits = new Visits(Colour.Red);
app.get('/', (_request: Request, response: Response) => response.send(visits.describe()));
app.get('/stack', (_request, response) => response.send(String(new Error('here').stack)));
app.listen(Number(process.env.PORT));
`;
const VISITS = `
export class Visits {
  constructor(private readonly colour: string) {}
  describe(): string {
    return \`typescript \${process.version} \${this.colour}\`;
  }
}
`;

let platform: PlatformProcess;
let directory: string;
let target: Server;
let targetUrl: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'node-apps-'));
  target = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(`${request.method ?? ''} ${request.url ?? ''} ${Buffer.concat(chunks).toString()}`));
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  targetUrl = `http://target.localhost:${(target.address() as AddressInfo).port}`;
  platform = await PlatformProcess.start('--fetch-allow', '127.0.0.1/32');
  // The first installs the packages, the others find them.
  await deploy('plain', 'nodejs20', 'node plain.cjs');
  await Promise.all([
    ...FRAMEWORKS.slice(1).map(([name, extension, major]) => deploy(name, `nodejs${major}`, `node ${name}.${extension}`)),
    ...NODE_MAJORS.map((major) => deploy(`outgoing${major}`, `nodejs${major}`, 'node outgoing.mjs')),
    deploy('cluster', 'nodejs22', 'node cluster.cjs'),
    deploy('late', 'nodejs24', 'node late.mjs'),
    deploy('typescript', 'nodejs20', 'node server.ts', { 'server.ts': TYPESCRIPT, 'lib/visits.ts': VISITS }),
  ]);
});
afterAll(async () => {
  await platform.remove();
  target.close();
  await rm(directory, { recursive: true, force: true });
});

async function deploy(app: string, runtime: string, entrypoint: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const code = join(directory, app);
  await cp(join(root, 'tests/integration/node-apps'), code, { recursive: true });
  // Node 24 has a way of its own through proxies, which an app may ask for.
  const yaml = `runtime: ${runtime}\nentrypoint: ${entrypoint}\nenv_variables:\n  NODE_USE_ENV_PROXY: "1"\n`;
  for (const [path, text] of Object.entries({ 'app.yaml': yaml, ...more })) {
    await mkdir(dirname(join(code, path)), { recursive: true });
    await writeFile(join(code, path), text);
  }
  await platform.appengineJson('deploy', code, '--app', app, '--quiet');
}

describe.each(FRAMEWORKS)('%s', (name, _extension, major) => {
  test(`runs on Node ${major} and answers a request`, async () => {
    const answer = await platform.http(name, '/?name=w%C3%B6rld');
    expect(answer).toMatchObject({ status: 200, text: expect.stringMatching(new RegExp(`^${name} v${major}\\.\\d+\\.\\d+ wörld$`)) });
  });

  test('takes a body', async () => {
    const body = JSON.stringify({ text: 'grüße', list: [1, 2] });
    const answer = await platform.http(name, '/echo', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.text)).toEqual({ got: { text: 'grüße', list: [1, 2] } });
  });

  test('streams', async () => {
    const { status, text, headers } = await platform.http(name, '/stream');
    expect([status, text]).toEqual([200, 'one\ntwo\nthree\n']);
    expect(headers['content-length']).toBeUndefined();
  });

  test('goes on after an error', async () => {
    expect((await platform.http(name, '/boom')).status).toBe(500);
    expect((await platform.http(name, '/')).status).toBe(200);
    const { instances } = await platform.appengineJson<{ readonly instances: readonly unknown[] }>('instances', 'list', '--app', name);
    expect(instances).toHaveLength(1);
  });
});

test('TypeScript runs on a Node that knows none, and its stack traces name its lines', async () => {
  expect((await platform.http('typescript', '/')).text).toMatch(/^typescript v20\.\d+\.\d+ red$/);
  expect((await platform.http('typescript', '/stack')).text).toContain('/srv/app/server.ts:9:');
});

test('a cluster shares the port, and threads run', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => platform.http('cluster', '/')));
  for (const { status, text } of answers) expect([status, text]).toEqual([200, expect.stringMatching(/^worker [12]$/)]);
  expect((await platform.http('cluster', '/thread')).text).toMatch(/^thread of v22\./);
});

test('a server that listens late, after an await at the top, is waited for; WebSockets reach it', async () => {
  expect((await platform.http('late', '/')).text).toBe('late by true');
  const socket = new WebSocket(`ws://127.0.0.1:${platform.routerPort}/`, { headers: { host: 'late.localhost' } });
  const message = await new Promise<string>((resolve, reject) => {
    socket.once('open', () => {
      socket.send('hello');
    });
    socket.once('message', (data: Buffer) => resolve(data.toString()));
    socket.once('error', reject);
  });
  socket.close();
  expect(message).toBe('back: hello');
});

describe.each(NODE_MAJORS)('on Node %d', (major) => {
  const ask = async (way: string, url: string): Promise<string> =>
    (await platform.http(`outgoing${major}`, `/${way}?url=${encodeURIComponent(url)}`)).text;

  test.each([
    ['fetch', 'GET /a?b '],
    ['post', 'POST /a?b posted'],
    ['http', 'GET /a?b '],
    ['request', 'PUT /a?b put'],
    ['undiciFetch', 'GET /a?b '],
    ['undici', 'GET /a?b '],
    ['axios', 'GET /a?b '],
    ['axiosFetch', 'GET /a?b '],
    ['got', 'GET /a?b '],
    ['nodeFetch', 'GET /a?b '],
  ])('%s goes out by the broker, which refuses what an app may not reach', async (way, expected) => {
    expect(await ask(way, `${targetUrl}/a?b`)).toBe(expected);
    expect(await ask(way, 'http://10.0.0.1/')).toMatch(/^refused .*\bFETCH_ADDRESS_REFUSED/);
  });

  test('https goes to the broker too', async () => {
    expect(await ask('https', 'http://10.0.0.1/')).toMatch(/^refused .*\bFETCH_ADDRESS_REFUSED/);
  });

  test('the WebSocket of Node fails in order: the broker speaks HTTP', async () => {
    expect(await ask('webSocket', targetUrl)).toBe(major === 20 ? 'no WebSocket here' : 'an error event');
  });
});
