// What the router costs, every feature on, against http-proxy, nginx and HAProxy in the same run: one proxy a process, one
// upstream process for all, load from a third, rounds interleaved. CPU is read from outside, so that it holds on a busy
// machine too; throughput and latency only compare within the run.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { freePort, isListening } from '../contract/free-port.ts';
import { type LoadOrder } from './router-parts/load-order.ts';
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
  /** By workload. */
  readonly figures: Map<Workload, Figures>;
}

interface Figures {
  readonly cpuMicros: number[];
  readonly perSecond: number[];
  readonly p50Ms: number[];
  readonly p99Ms: number[];
}

interface LoadResult {
  readonly ok: number;
  readonly bad: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly bodyBytes: number;
  /** Of the small requests, how many of these go into a round. */
  readonly share: number;
  readonly budgets: Readonly<Record<string, string>>;
  /** Who can do it at all. */
  readonly contenders?: readonly string[];
}

const MB = 1024 * 1024;
const WORKLOADS: readonly Workload[] = [
  { name: 'small', path: '/hello?name=bench', bodyBytes: 0, share: 1, budgets: { 'http-proxy': '≤ 0.6', HAProxy: 'going to ≤ 1.5' } },
  { name: '1 MB down', path: '/large', bodyBytes: 0, share: 0.04, budgets: {} },
  { name: '1 MB up', path: '/upload', bodyBytes: MB, share: 0.04, budgets: {} },
  { name: 'static file', path: '/static/hello.txt', bodyBytes: 0, share: 1, budgets: {}, contenders: ['ours', 'nginx'] },
];

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
    const staticFolder = join(folder, 'static');
    await mkdir(staticFolder);
    await writeFile(join(staticFolder, 'hello.txt'), 'Hello from a file.\n'.repeat(100));
    children.push((await startPart(join(parts, 'upstream.mjs'), [socketPath], [])).child);

    const contenders: Contender[] = [];
    const add = (name: string, started: { readonly child: ChildProcess; readonly port: number }): void => {
      children.push(started.child);
      contenders.push({ name, pid: started.child.pid ?? 0, port: started.port, figures: new Map() });
    };
    add('ours', await startPart(join(parts, 'ours.mjs'), [socketPath, join(staticFolder, 'hello.txt')], nodeFlags));
    add('http-proxy', await startPart(join(parts, 'http-proxy.mjs'), [socketPath], nodeFlags));
    if (existsSync(NGINX)) add('nginx', await startNginx(folder, socketPath));
    else missing('nginx');
    if (existsSync(HAPROXY)) add('HAProxy', await startHaproxy(folder, socketPath));
    else missing('haproxy');

    const loadFile = join(parts, 'load.mjs');
    for (const workload of WORKLOADS) {
      const able = contenders.filter(({ name }) => workload.contenders?.includes(name) ?? true);
      const load = (contender: Contender, amount: number): Promise<LoadResult> =>
        runLoad(loadFile, {
          url: `http://127.0.0.1:${contender.port}${workload.path}`,
          amount: Math.ceil(amount * workload.share),
          connections: Math.min(connections, Math.ceil(amount * workload.share)),
          bodyBytes: workload.bodyBytes,
        });
      for (const contender of able) await load(contender, warmUpRequests);
      for (let round = 0; round < rounds; round++) {
        // Another one goes first each time: who is measured after a pause finds colder caches.
        for (let turn = 0; turn < able.length; turn++) {
          const contender = able[(round + turn) % able.length];
          if (contender) await measure(contender, workload, () => load(contender, requests));
        }
      }
    }
    const title = `Router: ${requests} small requests and ${Math.ceil(requests * 0.04)} of 1 MB a round, ${rounds} rounds, medians`;
    return { title, rows: WORKLOADS.flatMap((workload) => rowsOf(contenders, workload)) };
  } finally {
    for (const child of children) child.kill('SIGTERM');
    for (const child of children) if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  }
}

function missing(program: string): void {
  process.stderr.write(
    `\n  *** ${program} is missing, so there are no rows for it.\n  *** To install it: apt-get install -y --no-install-recommends ${program}\n`,
  );
}

async function measure(contender: Contender, workload: Workload, load: () => Promise<LoadResult>): Promise<void> {
  const before = await cpuMicros(contender.pid);
  const { ok, bad, perSecond, p50Ms, p99Ms } = await load();
  const spent = (await cpuMicros(contender.pid)) - before;
  if (bad > 0 || ok === 0) throw new Error(`${contender.name}, ${workload.name}: ${bad} of ${ok + bad} requests failed`);
  const known = contender.figures.get(workload);
  const figures: Figures = known ?? { cpuMicros: [], perSecond: [], p50Ms: [], p99Ms: [] };
  if (!known) contender.figures.set(workload, figures);
  figures.cpuMicros.push(spent / ok);
  figures.perSecond.push(perSecond);
  figures.p50Ms.push(p50Ms);
  figures.p99Ms.push(p99Ms);
}

function rowsOf(contenders: readonly Contender[], workload: Workload): BenchRow[] {
  const own = contenders[0]?.figures.get(workload);
  if (!own) return [];
  return contenders.slice(1).flatMap(({ name: peerName, figures }) => {
    const other = figures.get(workload);
    if (!other) return [];
    const row = (what: string, unit: string, figure: keyof Figures): BenchRow => {
      const [ours, peer] = [median(own[figure]), median(other[figure])];
      return { name: `${workload.name}: ${what}`, unit, ours, peer, peerName, ratio: ours / peer };
    };
    const budget = workload.budgets[peerName];
    const cpu = row('CPU per request', 'µs', 'cpuMicros');
    return [
      budget === undefined ? cpu : { ...cpu, budget },
      row('throughput', '1/s', 'perSecond'),
      row('p50 under full load', 'ms', 'p50Ms'),
      row('p99 under full load', 'ms', 'p99Ms'),
    ];
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

async function runLoad(file: string, order: LoadOrder): Promise<LoadResult> {
  const child = fork(file, [JSON.stringify(order)]);
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
    client_max_body_size 32m;
    location /static/ { root ${folder}; types { text/plain txt; } expires 10m; }
    location / {
      proxy_request_buffering off; proxy_buffering on; client_body_buffer_size 64k;
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

async function listening(port: number, child: ChildProcess): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (performance.now() < endMs && child.exitCode === null) {
    if (await isListening(port)) return;
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
