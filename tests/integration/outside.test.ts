// What an app reaches beyond itself, in a whole platform: the outside, and the workers that decode its pictures.
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PlatformProcess, processesBelow, waitFor } from './platform-process.ts';

const SERVER = `
const { urlFetch, images } = require('appengine');
const http = require('node:http');
const work = {
  '/fetch': async (url) => (await fetch(url)).text(),
  '/http': (url) => new Promise((resolve, reject) => http.get(url, (r) => { let text = ''; r.on('data', (c) => text += c).on('end', () => resolve(text)); }).on('error', reject)),
  '/urlfetch': async (url) => Buffer.from((await urlFetch.fetch(url)).content).toString(),
  '/image': async (url) => {
    const bytes = Buffer.from((await urlFetch.fetch(url)).content);
    const { width, height, format } = await images.transform(bytes, [{ kind: 'resize', width: 10 }, { kind: 'rotate', degrees: 90 }], { format: 'webp' });
    return JSON.stringify({ width, height, format });
  },
};
http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  try { response.end(await work[pathname](searchParams.get('url'))); }
  catch (error) { response.end('refused ' + (error.code ?? error.cause?.code) + ' ' + (error.cause?.message ?? error.message)); }
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let target: Server;
let directory: string;
let port: number;

beforeAll(async () => {
  const picture = await sharp({ create: { width: 40, height: 20, channels: 3, background: '#f00' } })
    .png()
    .toBuffer();
  target = createServer((request, response) => response.end(request.url === '/picture' ? picture : `hello ${request.url}`));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  ({ port } = target.address() as AddressInfo);
  directory = await mkdtemp(join(tmpdir(), 'outside-'));
  await writeFile(join(directory, 'app.yaml'), 'runtime: nodejs20\n');
  await writeFile(join(directory, 'server.js'), SERVER);
  platform = await PlatformProcess.start('--fetch-allow', '127.0.0.1/32');
  await platform.appengineJson('deploy', directory, '--app', 'outside', '--quiet');
});
afterAll(async () => {
  await platform.remove();
  target.close();
  await rm(directory, { recursive: true, force: true });
});

const ask = async (what: string, url: string): Promise<string> =>
  (await platform.http('outside', `/${what}?url=${encodeURIComponent(url)}`)).text;

test.each(['fetch', 'http', 'urlfetch'])('%s reaches what the operator allows, and not the platform', async (way) => {
  expect(await ask(way, `http://target.localhost:${port}/a?b`)).toBe('hello /a?b');
  expect(await ask(way, 'http://10.0.0.1/')).toContain('refused FETCH_ADDRESS_REFUSED');
  const consolePort = Number(new URL(platform.consoleUrl).port);
  for (const own of [platform.routerPort, consolePort]) {
    const answer = await ask(way, `http://console.localhost:${own}/`);
    expect(answer).toContain('refused FETCH_ADDRESS_REFUSED');
    expect(answer).toContain('belongs to the platform');
  }
});

test('pictures are made by a worker, which is no app and outlives no platform process that it belongs to', async () => {
  const picture = `http://target.localhost:${port}/picture`;
  expect(JSON.parse(await ask('image', picture))).toEqual({ width: 5, height: 10, format: 'webp' });
  const { instances } = await platform.appengineJson<{ readonly instances: readonly unknown[] }>('instances', 'list', '--app', 'outside');
  expect(instances).toHaveLength(1);
  const workers = () => processesBelow(platform.pid).filter(({ commandLine }) => commandLine.endsWith('node worker.js'));
  const [worker] = workers();
  expect(worker).toBeDefined();

  process.kill(platform.rolePid('control') ?? 0, 'SIGKILL');
  // A process that is being killed still accepts connections until its last thread has gone, and cuts those fetches off.
  const again = async (): Promise<boolean> => (await ask('fetch', `http://target.localhost:${port}/again`)) === 'hello /again';
  await waitFor('fetches succeed again', again);
  await waitFor('the worker of the killed process ends', () => workers().every(({ pid }) => pid !== worker?.pid));
  expect(JSON.parse(await ask('image', picture))).toEqual({ width: 5, height: 10, format: 'webp' });
});
