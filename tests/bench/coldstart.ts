// Cold start: from the decision to start an instance until the first byte of its first response, through the sandbox,
// against plain `node` on a TCP port. The two take turns, so that the machine's mood falls on both.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalInstanceHost } from '../../runtime/host/instance-host.ts';
import { MemoryInstanceLogSink } from '../../runtime/host/instance-log.ts';
import { type InstanceSpec, type InstanceView } from '../../runtime/host/instance.ts';
import { findLanguage } from '../../runtime/languages/language-table.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { startResourceControl } from '../../runtime/sandbox/resource-control-choice.ts';
import { parseAppManifest } from '../../sdk/contract/app-manifest/app-yaml.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BenchRow, type BenchTable } from './table.ts';

export interface ColdStartOptions {
  /** Starts of each kind, of which the median counts. */
  readonly rounds?: number;
}

const ROUNDS = 15;
/** docs/benchmarks.md: what the platform may add to the start of a plain process. */
const ADDED_MS_MAX = 40;
const repository = join(import.meta.dirname, '..', '..');

const APPS: Readonly<Record<string, string>> = {
  'Node http': `require('node:http').createServer((request, response) => response.end('hello')).listen(process.env.PORT);`,
  Express: `const app = require('express')(); app.get('/', (request, response) => response.send('hello')); app.listen(process.env.PORT);`,
};

export async function run({ rounds = ROUNDS }: ColdStartOptions = {}): Promise<BenchTable> {
  const closing = new CloseStack();
  try {
    const host = await startHost(closing);
    const rows: BenchRow[] = [];
    for (const [name, code] of Object.entries(APPS)) rows.push(await compare(name, code, host, rounds));
    return { title: 'Cold start: from nothing to the first byte, median', rows };
  } finally {
    await closing.close();
  }
}

interface BenchHost {
  readonly host: LocalInstanceHost;
  readonly directory: string;
}

async function startHost(closing: CloseStack): Promise<BenchHost> {
  const directory = await mkdtemp(join(tmpdir(), 'ae-'));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'run'));
  // The plain process finds the same packages by the same rule.
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
  const resources = await startResourceControl(directory, systemTimers, new MemoryLog());
  closing.defer(() => resources.close());
  const sandbox = new BubblewrapSandbox({ scratchDirectory: join(directory, 'scratch') });
  await sandbox.start();
  const host = new LocalInstanceHost(sandbox, resources, new MemoryInstanceLogSink(), systemClock, systemTimers, systemRandom, {
    runDirectory: join(directory, 'run'),
    readOnlyMounts: [
      { from: join(repository, 'node_modules'), to: '/srv/node_modules' },
      ...['preload.cjs', 'egress.cjs'].map((file) => ({
        from: join(repository, 'runtime/languages/nodejs', file),
        to: `/srv/platform/nodejs/${file}`,
      })),
    ],
  });
  host.open();
  closing.defer(() => host.close());
  return { host, directory };
}

async function compare(name: string, code: string, { host, directory }: BenchHost, rounds: number): Promise<BenchRow> {
  const codeDirectory = await mkdtemp(join(directory, 'app-'));
  await writeFile(join(codeDirectory, 'server.js'), code);
  const spec = await specOf(codeDirectory);
  const ours: number[] = [];
  const bare: number[] = [];
  // One more at the beginning, which reads the files for both and does not count.
  for (let round = 0; round <= rounds; round++) {
    const oursMs = await timeSandboxed(host, spec);
    const bareMs = await timeBare(codeDirectory);
    if (round === 0) continue;
    ours.push(oursMs);
    bare.push(bareMs);
  }
  const oursMs = median(ours);
  const bareMs = median(bare);
  const added = oursMs - bareMs;
  return {
    name: `${name} hello (adds ${added.toFixed(1)} ms)`,
    unit: 'ms',
    ours: oursMs,
    peer: bareMs,
    peerName: 'node server.js',
    ratio: oursMs / bareMs,
    budget: `≤ bare + ${ADDED_MS_MAX} ms: ${added <= ADDED_MS_MAX ? 'kept' : 'MISSED'}`,
  };
}

async function specOf(codeDirectory: string): Promise<InstanceSpec> {
  const manifest = parseAppManifest('runtime: nodejs20\n', 'app.yaml');
  const source = { paths: new Set(['server.js']), readText: () => Promise.reject(new Error('no other file')) };
  const { command, environment } = await findLanguage(manifest.runtime).plan(manifest, source, { nowMs: 0 });
  return {
    appId: 'hello',
    service: 'default',
    version: 'v1',
    deploymentId: '1',
    codeDirectory,
    command,
    environment,
    memoryBytesMax: LIMITS.instanceMemoryBytesMax,
    pidsMax: LIMITS.instancePidsMax,
    tmpBytesMax: LIMITS.instanceTmpBytesMax,
    cpuWeight: 1,
    readyMsMax: LIMITS.instanceReadyMs,
  };
}

async function timeSandboxed(host: LocalInstanceHost, spec: InstanceSpec): Promise<number> {
  const beginMs = performance.now();
  const { id } = await host.start(spec);
  const view = await reached(host, id, 'ready');
  await firstByte({ path: join(view.socketDirectory, 'app.sock') });
  const tookMs = performance.now() - beginMs;
  await host.stop(id, { graceMs: 0 });
  await reached(host, id, 'exited');
  return tookMs;
}

function reached(host: LocalInstanceHost, id: string, state: 'ready' | 'exited'): Promise<InstanceView> {
  return new Promise((resolve, reject) => {
    const end = host.watch({
      onReset: () => undefined,
      onChange: (view) => {
        if (view.id !== id) return;
        if (view.state === state) resolve(view);
        else if (view.exit) reject(new Error(`${view.exit.reason}: ${view.exit.stderrTail}`));
        else return;
        setImmediate(() => {
          end();
        });
      },
    });
  });
}

async function timeBare(codeDirectory: string): Promise<number> {
  const port = await freePort();
  const beginMs = performance.now();
  const child = spawn(process.execPath, ['server.js'], {
    cwd: codeDirectory,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await firstByte({ port, host: '127.0.0.1' });
  const tookMs = performance.now() - beginMs;
  child.kill('SIGKILL');
  await ended;
  return tookMs;
}

const RETRY_MS = 1;
const ATTEMPTS_MAX = 10_000;

/** Resolves when the first byte of an answer is there; while nobody listens it tries again every millisecond. */
async function firstByte(address: NetConnectOpts): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(address);
      socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n'));
      socket.once('data', () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  throw new Error('it never answered');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
