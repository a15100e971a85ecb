// memcache from inside a sandbox: SDK → api.sock → service table → LRU and back, against bytes that a bare unix socket sends
// back at once. The two take turns within one instance, so that the machine's mood falls on both.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InstanceGateway, type InstanceListener, wireListener } from '../../runtime/api/instance-gateway.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { ServiceTable } from '../../runtime/api/service-table.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../runtime/api/usage-meter.ts';
import { LruCache } from '../../runtime/backends/cache-lru.ts';
import { LocalInstanceHost } from '../../runtime/host/instance-host.ts';
import { MemoryInstanceLogSink } from '../../runtime/host/instance-log.ts';
import { API_SOCKET, type InstanceView } from '../../runtime/host/instance.ts';
import { platformMounts } from '../../runtime/host/platform-mounts.ts';
import { findLanguage } from '../../runtime/languages/language-table.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { startResourceControl } from '../../runtime/sandbox/resource-control-choice.ts';
import { memcacheApi } from '../../runtime/services/memcache.ts';
import { parseAppManifest } from '../../sdk/contract/app-manifest/app-yaml.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BenchRow, type BenchTable } from './table.ts';

export interface MemcacheOptions {
  /** Turns of each kind. */
  readonly rounds?: number;
  /** Calls in a turn, one after the other. */
  readonly calls?: number;
}

const ROUNDS = 15;
const CALLS = 1_000;
const RAW_SOCKET = 'raw.sock';
/** docs/benchmarks.md: a get, one after the other. */
const GET_MICROS_MAX = 150;
const ANSWER_MS_MAX = 180_000;
const repository = join(import.meta.dirname, '..', '..');

/** Microseconds of each call, by what was called; and calls a second with 32 in flight. */
interface Measured {
  readonly serial: Readonly<Record<'get' | 'set' | 'raw', readonly number[]>>;
  readonly parallel: Readonly<Record<'get' | 'raw', readonly number[]>>;
}

/** Runs in the instance. A raw exchange carries as many bytes as a get's question and answer have, about. */
const APP = `
const { connect } = require('node:net');
const { createServer } = require('node:http');
const { memcache } = require('appengine');
const PAYLOAD = Buffer.alloc(100, 7);
const PARALLEL = 32;
const socket = connect(process.env.APPENGINE_SOCKETS + '/${RAW_SOCKET}');
const waiting = [];
let arrived = 0;
socket.on('data', (chunk) => {
  for (arrived += chunk.length; arrived >= PAYLOAD.length; arrived -= PAYLOAD.length) waiting.shift()();
});
const calls = {
  raw: () => new Promise((resolve) => { waiting.push(resolve); socket.write(PAYLOAD); }),
  get: () => memcache.get('key'),
  set: () => memcache.set('key', PAYLOAD),
};
async function serial(call, count) {
  const micros = [];
  for (let index = 0; index < count; index++) {
    const begin = process.hrtime.bigint();
    await call();
    micros.push(Number(process.hrtime.bigint() - begin) / 1_000);
  }
  return micros;
}
async function parallel(call, count) {
  let left = count;
  const begin = process.hrtime.bigint();
  await Promise.all(Array.from({ length: PARALLEL }, async () => { while (left-- > 0) await call(); }));
  return count / (Number(process.hrtime.bigint() - begin) / 1e9);
}
async function measure(rounds, count) {
  const measured = { serial: { get: [], set: [], raw: [] }, parallel: { get: [], raw: [] } };
  await memcache.set('key', PAYLOAD);
  // One more at the beginning, which warms both up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const name of ['raw', 'get', 'set']) {
      const micros = await serial(calls[name], count);
      if (round > 0) measured.serial[name].push(...micros);
    }
    for (const name of ['raw', 'get']) {
      const perSecond = await parallel(calls[name], count * 5);
      if (round > 0) measured.parallel[name].push(perSecond);
    }
  }
  if (!(await memcache.get('key')).equals(PAYLOAD)) throw new Error('the cache lost the value');
  return measured;
}
createServer(async (request, response) => {
  const [, rounds, count] = request.url.split('/');
  response.end(JSON.stringify(await measure(Number(rounds), Number(count))));
}).listen(process.env.PORT);
`;

export async function run({ rounds = ROUNDS, calls = CALLS }: MemcacheOptions = {}): Promise<BenchTable> {
  const closing = new CloseStack();
  try {
    const view = await startInstance(closing);
    const { serial, parallel } = JSON.parse(await httpGet(join(view.socketDirectory, 'app.sock'), `/${rounds}/${calls}`)) as Measured;
    const getMicros = quantile(serial.get, 0.5);
    const rows: BenchRow[] = [
      row('get p50, one after the other', 'µs', getMicros, quantile(serial.raw, 0.5), {
        budget: `≤ ${GET_MICROS_MAX} µs: ${getMicros <= GET_MICROS_MAX ? 'kept' : 'MISSED'}`,
      }),
      row('get p99, one after the other', 'µs', quantile(serial.get, 0.99), quantile(serial.raw, 0.99)),
      row('set p50, one after the other', 'µs', quantile(serial.set, 0.5), quantile(serial.raw, 0.5)),
      row('gets, 32 in flight', '/s', quantile(parallel.get, 0.5), quantile(parallel.raw, 0.5)),
    ];
    return { title: 'memcache within a sandbox, values of 100 bytes', rows };
  } finally {
    await closing.close();
  }
}

async function startInstance(closing: CloseStack): Promise<InstanceView> {
  const directory = await mkdtemp(join(tmpdir(), 'ae-'));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  const [runDirectory, codeDirectory] = [join(directory, 'run'), join(directory, 'app')];
  await mkdir(runDirectory);
  await mkdir(codeDirectory);
  await writeFile(join(codeDirectory, 'server.js'), APP);
  const log = new MemoryLog();
  const resources = await startResourceControl(directory, systemTimers, log);
  closing.defer(() => resources.close());
  const sandbox = new BubblewrapSandbox({ scratchDirectory: join(directory, 'scratch') });
  await sandbox.start();
  const host = new LocalInstanceHost(sandbox, resources, new MemoryInstanceLogSink(), systemClock, systemTimers, systemRandom, {
    runDirectory,
    readOnlyMounts: platformMounts({
      sdkDirectory: join(repository, 'dist', 'app-sdk'),
      languagesDirectory: join(repository, 'runtime', 'languages'),
    }),
  });
  host.open();
  closing.defer(() => host.close());
  const cache = new LruCache(systemClock, { appBytesMax: LIMITS.cacheAppBytesMax, bytesMax: LIMITS.cacheBytesMax });
  const table = new ServiceTable([memcacheApi(cache, systemClock)], new CallPassage(OPEN_GATE, new MemoryUsageMeter()), systemTimers);
  const listeners = {
    [API_SOCKET]: (instance: InstanceView, path: string) => wireListener(path, instance, table.servicesOf(instance), systemTimers, log),
    [RAW_SOCKET]: (_instance: InstanceView, path: string) => new EchoListener(path),
  };
  for (const [socketName, listenerOf] of Object.entries(listeners)) {
    const gateway = new InstanceGateway(host, log, { socketName, listenerOf });
    gateway.start();
    closing.defer(() => gateway.close());
  }
  const { id } = await host.start(await specOf(codeDirectory));
  return ready(host, id);
}

async function specOf(codeDirectory: string): Promise<Parameters<LocalInstanceHost['start']>[0]> {
  const manifest = parseAppManifest('runtime: nodejs20\n', 'app.yaml');
  const source = { paths: new Set(['server.js']), readText: () => Promise.reject(new Error('no other file')) };
  const { command, environment } = await findLanguage(manifest.runtime).plan(manifest, source, { nowMs: 0 });
  return {
    ...{ appId: 'hello', service: 'default', version: 'v1', deploymentId: '1', codeDirectory, command, environment },
    ...{ memoryBytesMax: LIMITS.instanceMemoryBytesMax, pidsMax: LIMITS.instancePidsMax, tmpBytesMax: LIMITS.instanceTmpBytesMax },
    ...{ cpuWeight: 1, readyMsMax: LIMITS.instanceReadyMs },
  };
}

function ready(host: LocalInstanceHost, id: string): Promise<InstanceView> {
  return new Promise((resolve, reject) => {
    const end = host.watch({
      onReset: () => undefined,
      onChange: (view) => {
        if (view.id !== id) return;
        if (view.state === 'ready') resolve(view);
        else if (view.exit) reject(new Error(`${view.exit.reason}: ${view.exit.stderrTail}`));
        else return;
        setImmediate(() => {
          end();
        });
      },
    });
  });
}

/** Sends back what comes. */
class EchoListener implements InstanceListener {
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string) {
    this.#path = path;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path: this.#path, readableAll: true, writableAll: true }, resolve);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function httpGet(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, timeout: ANSWER_MS_MAX }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve(text);
      });
    });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error('the instance never answered')));
    outgoing.end();
  });
}

function row(name: string, unit: string, ours: number, peer: number, { budget }: { readonly budget?: string } = {}): BenchRow {
  return { name, unit, ours, peer, peerName: 'bytes over a bare socket', ratio: ours / peer, ...(budget === undefined ? {} : { budget }) };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
