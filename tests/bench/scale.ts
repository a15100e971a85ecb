// How a real platform meets load that comes at once: a step from no instance to 200 requests/s, and Knative's load test
// scaled to two cores. No peer runs here: beside ours stand the budget, and the figures that Knative publishes as passed.
import { cpus, loadavg } from 'node:os';
import { PlatformProcess } from '../integration/platform-process.ts';
import { BenchApp } from './bench-app.ts';
import { InstanceWatch } from './instance-watch.ts';
import { errorsOf, latenciesOf, type LoadSample, quantile, sendLoad } from './load.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface ScaleOptions {
  readonly stepSeconds?: number;
  readonly levelSeconds?: number;
}

const STEP_PER_SECOND = 200;
const SETTLED_SHARE = 1.2;
const SETTLED_MS_MAX = 3_000;
/** A hundred requests at 200/s, of which the 99th percentile is the second slowest. */
const WINDOW_MS = 500;
const LEVELS = [100, 200, 300];
const HANDLER_MS = 100;
const KNATIVE = "Knative's published bar; not run here";

const HELLO = `require('node:http').createServer((request, response) => response.end('hello')).listen(process.env.PORT);`;
const SLEEPER = `require('node:http')
  .createServer((request, response) => setTimeout(() => response.end('slept'), ${HANDLER_MS}))
  .listen(process.env.PORT);`;

export async function run({ stepSeconds = 20, levelSeconds = 20 }: ScaleOptions = {}): Promise<BenchTable> {
  say(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'} before the bench`);
  const platform = await PlatformProcess.start();
  try {
    const rows = [...(await stepRows(platform, stepSeconds * 1_000)), ...(await levelRows(platform, levelSeconds * 1_000))];
    return { title: 'Scaling on real instances, open loop, latency from when each request was due', rows };
  } finally {
    await platform.remove();
  }
}

/** From no instance at all. */
async function stepRows(platform: PlatformProcess, durationMs: number): Promise<readonly BenchRow[]> {
  const app = await BenchApp.deploy(platform, 'hello', 'runtime: nodejs20\n', HELLO);
  await app.stopInstances();
  const watch = new InstanceWatch(app);
  const samples = await sendLoad({ ...app.target, kind: 'open', path: '/', steps: [{ perSecond: STEP_PER_SECOND, durationMs }] });
  const { starts, text } = await watch.stop();
  say(`step 0 → ${STEP_PER_SECOND}/s: ${samples.length} requests, ${starts} starts; instances: ${text}`);
  const steadyMs = quantile(latenciesOf(samples.filter(({ dueMs }) => dueMs >= durationMs / 2)), 0.99);
  const settledMs = settledAfterMs(samples, durationMs, steadyMs * SETTLED_SHARE);
  const slowestMs = Math.max(...latenciesOf(samples));
  const name = (what: string): string => `step 0 → ${STEP_PER_SECOND}/s, Node hello: ${what}`;
  return [
    against(name('errors'), 'requests', errorsOf(samples), 0, 'budget', '0'),
    against(
      name(`p99 back under 1.2 × steady (${steadyMs.toFixed(1)} ms)`),
      's',
      settledMs / 1_000,
      SETTLED_MS_MAX / 1_000,
      'budget',
      '≤ 3 s',
    ),
    against(name('p99 of all'), 'ms', quantile(latenciesOf(samples), 0.99), steadyMs, 'ours, second half'),
    against(name('the slowest'), 'ms', slowestMs, steadyMs, 'ours, p99 of the second half'),
    against(name('instances started'), '', starts, 1, 'what the load needs'),
  ];
}

/** The end of the first window that is settled and followed by one that is; the whole time when none is. */
function settledAfterMs(samples: readonly LoadSample[], durationMs: number, latencyMsMax: number): number {
  const isSettled = (windowMs: number): boolean => {
    const within = samples.filter(({ dueMs }) => dueMs >= windowMs && dueMs < windowMs + WINDOW_MS);
    return within.length > 0 && quantile(latenciesOf(within), 0.99) <= latencyMsMax;
  };
  for (let windowMs = 0; windowMs + 2 * WINDOW_MS <= durationMs; windowMs += WINDOW_MS) {
    if (isSettled(windowMs) && isSettled(windowMs + WINDOW_MS)) return windowMs;
  }
  return durationMs;
}

/** Knative's `test/performance/benchmarks/load-test`, at a tenth of its rates and a sixth of its time. */
async function levelRows(platform: PlatformProcess, durationMs: number): Promise<readonly BenchRow[]> {
  const app = await BenchApp.deploy(platform, 'sleeper', 'runtime: nodejs20\n', SLEEPER);
  const watch = new InstanceWatch(app);
  const steps = LEVELS.map((perSecond) => ({ perSecond, durationMs }));
  const samples = await sendLoad({ ...app.target, kind: 'open', path: '/', steps });
  const { starts, text } = await watch.stop();
  say(`steps of ${LEVELS.join(', ')}/s: ${samples.length} requests, ${starts} starts; instances: ${text}`);
  const rows = LEVELS.map((perSecond, index) => {
    const within = samples.filter(({ dueMs }) => Math.floor(dueMs / durationMs) === index);
    return against(
      `${perSecond}/s, handler sleeps ${HANDLER_MS} ms: p95`,
      'ms',
      quantile(latenciesOf(within), 0.95),
      115,
      KNATIVE,
      '≤ 115 ms',
    );
  });
  return [
    ...rows,
    against('all steps: the slowest', 'ms', Math.max(...latenciesOf(samples)), 1_000, `${KNATIVE} (10 s there)`, '≤ 1 s'),
    against('all steps: errors', 'requests', errorsOf(samples), 0, KNATIVE, '0'),
  ];
}

function against(name: string, unit: string, ours: number, peer: number, peerName: string, budget?: string): BenchRow {
  const isKept = ours <= peer;
  return {
    name,
    unit,
    ours,
    peer,
    peerName,
    ratio: peer === 0 ? Number(ours > 0) : ours / peer,
    ...(budget === undefined ? {} : { budget: `${budget}: ${isKept ? 'kept' : 'MISSED'}` }),
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (process.argv[1] === import.meta.filename) printTable(await run());
