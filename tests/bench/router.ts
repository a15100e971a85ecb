// CPU that the router needs for one small proxied request, every feature on, against http-proxy, nginx and HAProxy in
// the same run: one proxy a process, one upstream process for all, load from a third, rounds interleaved.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface RouterBenchOptions {
  readonly requests?: number;
  readonly warmUpRequests?: number;
  readonly rounds?: number;
  readonly connections?: number;
  /** Flags for the Node processes under test, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
}

interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly cpuMicros: number[];
  readonly p99Ms: number[];
}

interface LoadResult {
  readonly ok: number;
  readonly bad: number;
  readonly p99Ms: number;
}

const ROOT = join(import.meta.dirname, '..', '..');
const NGINX = '/usr/sbin/nginx';
const HAPROXY = '/usr/sbin/haproxy';
/** USER_HZ, fixed on Linux. */
const MICROS_PER_TICK = 10_000;

export async function run(options: RouterBenchOptions = {}): Promise<BenchTable> {
  const { requests = 10_000, warmUpRequests = 6_000, rounds = 3, connections = 32, nodeFlags = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'router-bench-'));
  const children: ChildProcess[] = [];
  try {
    const parts = await compileParts();
    const socketPath = join(folder, 'upstream.sock');
    children.push((await startPart(join(parts, 'upstream.mjs'), [socketPath], [])).child);

    const contenders: Contender[] = [];
    const add = (name: string, started: { readonly child: ChildProcess; readonly port: number }): void => {
      children.push(started.child);
      contenders.push({ name, pid: started.child.pid ?? 0, port: started.port, cpuMicros: [], p99Ms: [] });
    };
    add('ours', await startPart(join(parts, 'ours.mjs'), [socketPath], nodeFlags));
    add('http-proxy', await startPart(join(parts, 'http-proxy.mjs'), [socketPath], nodeFlags));
    if (existsSync(NGINX)) add('nginx', await startNginx(folder, socketPath));
    if (existsSync(HAPROXY)) add('HAProxy', await startHaproxy(folder, socketPath));

    const load = (contender: Contender, amount: number): Promise<LoadResult> =>
      runLoad(join(parts, 'load.mjs'), `http://127.0.0.1:${contender.port}/hello?name=bench`, amount, connections);
    for (const contender of contenders) await load(contender, warmUpRequests);
    for (let round = 0; round < rounds; round++) {
      // Another one goes first each time: who is measured after a pause finds colder caches.
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        if (contender) await measure(contender, requests, load);
      }
    }
    return { title: `Router: CPU a small proxied request (${requests} requests, ${rounds} rounds, median)`, rows: rowsOf(contenders) };
  } finally {
    for (const child of children) child.kill('SIGTERM');
    for (const child of children) if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  contender: Contender,
  amount: number,
  load: (contender: Contender, amount: number) => Promise<LoadResult>,
): Promise<void> {
  const before = await cpuMicros(contender.pid);
  const { ok, bad, p99Ms } = await load(contender, amount);
  const spent = (await cpuMicros(contender.pid)) - before;
  if (bad > 0 || ok < amount) throw new Error(`${contender.name}: ${bad} of ${amount} requests failed`);
  contender.cpuMicros.push(spent / ok);
  contender.p99Ms.push(p99Ms);
}

function rowsOf(contenders: readonly Contender[]): BenchRow[] {
  const [ours, ...peers] = contenders;
  if (!ours) return [];
  const budgets: Readonly<Record<string, string>> = { 'http-proxy': '≤ 0.6', HAProxy: 'going to ≤ 1.5' };
  return peers.flatMap((peer) => {
    const budget = budgets[peer.name];
    const row = (name: string, unit: string, own: number, other: number): BenchRow => {
      return { name, unit, ours: own, peer: other, peerName: peer.name, ratio: own / other };
    };
    const cpu = row('CPU per request', 'µs', median(ours.cpuMicros), median(peer.cpuMicros));
    return [budget === undefined ? cpu : { ...cpu, budget }, row('p99 under full load', 'ms', median(ours.p99Ms), median(peer.p99Ms))];
  });
}

/** Bundles the parts, so that they run as plain JavaScript, as the product does. */
async function compileParts(): Promise<string> {
  // Inside the repository, where the packages are found.
  const outdir = join(ROOT, 'node_modules', '.cache', 'bench-router');
  await mkdir(outdir, { recursive: true });
  await build({
    entryPoints: ['upstream', 'ours', 'http-proxy', 'load'].map((part) => join(import.meta.dirname, 'router-parts', `${part}.ts`)),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  });
  return outdir;
}

async function startPart(
  file: string,
  args: readonly string[],
  execArgv: readonly string[],
): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(file, [...args], { execArgv: [...execArgv] });
  const { port } = await message<{ port: number }>(child);
  return { child, port };
}

async function runLoad(file: string, url: string, amount: number, connections: number): Promise<LoadResult> {
  const child = fork(file, [url, String(amount), String(connections)]);
  const result = await message<LoadResult>(child);
  if (child.exitCode === null) await once(child, 'exit');
  return result;
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (value) => {
      child.removeAllListeners('exit');
      child.disconnect();
      resolve(value as T);
    });
    child.once('exit', (code) => reject(new Error(`A process of the bench ended with ${String(code)}`)));
  });
}

async function startNginx(folder: string, socketPath: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 1000000;
  upstream app { server unix:${socketPath}; keepalive 128; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
  );
  const child = spawn(NGINX, ['-c', config, '-p', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  await listening(port, child);
  return { child, port };
}

async function startHaproxy(folder: string, socketPath: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const config = join(folder, 'haproxy.cfg');
  await writeFile(
    config,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend app
backend app
  server upstream unix@${socketPath}
`,
  );
  const child = spawn(HAPROXY, ['-db', '-q', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  await listening(port, child);
  return { child, port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (performance.now() < endMs && child.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Nothing listens on port ${port}`);
}

/** User and system time of a process, from outside. */
async function cpuMicros(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; fields count from after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
}

if (process.argv[1] === import.meta.filename) printTable(await run());
