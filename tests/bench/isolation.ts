// What an app feels of a neighbour that takes all it can: its latency and its speed alone, then beside each kind of hog, as
// the platform runs apps and, in the same run, as plain processes without limits. Security 1 and 5.
import { cpus, loadavg } from 'node:os';
import { PlatformProcess } from '../integration/platform-process.ts';
import { BenchApp } from './bench-app.ts';
import { HOG_SERVER, HOGS, type HogKind } from './hog-app.ts';
import { errorsOf, latenciesOf, quantile, sendLoad } from './load.ts';
import { PlainApp } from './plain-app.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface IsolationOptions {
  readonly hogs?: readonly HogKind[];
  readonly seconds?: number;
}

interface Target {
  readonly port: number;
  readonly host: string;
}

interface Felt {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly errors: number;
}

interface Side {
  readonly alone: Felt;
  readonly beside: ReadonlyMap<HogKind, Felt>;
}

/** Light enough that the victim has its answer before the next comes, on a quiet machine. */
const OPEN_PER_SECOND = 40;
const CLIENTS = 4;
/** From the hog's start until it has what it can get. */
const HOLD_OFF_MS = 2_000;
const P99_GROWTH_MAX = 2;
const SPEED_SHARE_MIN = 0.4;

/** About 2 ms of CPU for each request, so that its speed is that of its CPU. */
const VICTIM_SERVER = `const { createHash } = require('node:crypto');
const block = Buffer.alloc(1e6, 1);
require('node:http').createServer((request, response) => response.end(createHash('sha256').update(block).digest('hex'))).listen(process.env.PORT);`;
const VICTIM_MANIFEST = 'runtime: nodejs20\nautomatic_scaling:\n  min_instances: 1\n  max_instances: 1\n';
const HOG_INSTANCES = 4;
const HOG_MANIFEST = `runtime: nodejs20\nautomatic_scaling:\n  max_concurrent_requests: 1\n  max_instances: ${HOG_INSTANCES}\n`;

export async function run({ hogs = HOGS, seconds = 5 }: IsolationOptions = {}): Promise<BenchTable> {
  say(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'} before the bench`);
  const ours = await measurePlatform(hogs, seconds * 1_000);
  const plain = await measurePlain(hogs, seconds * 1_000);
  return { title: 'Isolation: a victim beside a hog, each figure ÷ the victim alone on the same side', rows: rowsOf(hogs, ours, plain) };
}

async function measurePlatform(hogs: readonly HogKind[], durationMs: number): Promise<Side> {
  const platform = await PlatformProcess.start();
  try {
    const victim = await BenchApp.deploy(platform, 'victim', VICTIM_MANIFEST, VICTIM_SERVER);
    const hog = await BenchApp.deploy(platform, 'hog', HOG_MANIFEST, HOG_SERVER);
    await hog.stopInstances();
    return await measureSide('on the platform', victim, hogs, durationMs, async (path, besideMs) => {
      // More than its instances take, so that every one of them is busy and the queue is not empty.
      const hogging = sendLoad({ ...hog.target, kind: 'closed', path, clients: HOG_INSTANCES + 2, durationMs: besideMs });
      return async () => {
        await hog.stopInstances();
        await hogging;
        await hog.stopInstances();
      };
    });
  } finally {
    await platform.remove();
  }
}

/** The same programs, as many hogs as the platform may start, with nothing around them. */
async function measurePlain(hogs: readonly HogKind[], durationMs: number): Promise<Side> {
  const victim = await PlainApp.start(VICTIM_SERVER);
  try {
    return await measureSide('as plain processes', victim, hogs, durationMs, async (path) => {
      const apps = await Promise.all(Array.from({ length: HOG_INSTANCES }, () => PlainApp.start(HOG_SERVER)));
      const hogging = apps.map(({ target }) => sendLoad({ ...target, kind: 'closed', path, clients: 1, durationMs: 1 }));
      return async () => {
        await Promise.all(apps.map((app) => app.stop()));
        await Promise.all(hogging);
      };
    });
  } finally {
    await victim.stop();
  }
}

/** Begins to hog; what it returns ends that. */
type StartHog = (path: string, besideMs: number) => Promise<() => Promise<void>>;

async function measureSide(
  where: string,
  victim: { readonly target: Target },
  hogs: readonly HogKind[],
  durationMs: number,
  startHog: StartHog,
): Promise<Side> {
  await feel(victim.target, durationMs / 2);
  const alone = await feel(victim.target, durationMs);
  say(`${where}: alone ${text(alone)}`);
  const beside = new Map<HogKind, Felt>();
  for (const kind of hogs) {
    const besideMs = HOLD_OFF_MS + 2 * durationMs;
    // It ends by itself a little later, whatever becomes of this process.
    const stopHog = await startHog(`/${kind}?ms=${besideMs + 3_000}`, besideMs);
    await new Promise((resolve) => setTimeout(resolve, HOLD_OFF_MS));
    const felt = await feel(victim.target, durationMs);
    await stopHog();
    beside.set(kind, felt);
    say(`${where}: beside ${kind} ${text(felt)}`);
  }
  return { alone, beside };
}

async function feel(target: Target, durationMs: number): Promise<Felt> {
  const steps = [{ perSecond: OPEN_PER_SECOND, durationMs }];
  const open = await sendLoad({ ...target, kind: 'open', path: '/', steps });
  const closed = await sendLoad({ ...target, kind: 'closed', path: '/', clients: CLIENTS, durationMs });
  return {
    p50Ms: quantile(latenciesOf(open), 0.5),
    p99Ms: quantile(latenciesOf(open), 0.99),
    perSecond: (closed.length - errorsOf(closed)) / (durationMs / 1_000),
    errors: errorsOf(open) + errorsOf(closed),
  };
}

function rowsOf(hogs: readonly HogKind[], ours: Side, plain: Side): readonly BenchRow[] {
  return hogs.flatMap((kind) => {
    const [own, other] = [ours.beside.get(kind), plain.beside.get(kind)];
    if (!own || !other) return [];
    const row = (what: string, figure: (felt: Felt) => number, budget?: (ratio: number) => string): BenchRow => {
      const [oursRatio, peerRatio] = [figure(own) / figure(ours.alone), figure(other) / figure(plain.alone)];
      return {
        name: `beside ${kind}: ${what}`,
        unit: '× alone',
        ours: oursRatio,
        peer: peerRatio,
        peerName: 'plain processes without limits',
        ratio: oursRatio / peerRatio,
        ...(budget ? { budget: budget(oursRatio) } : {}),
      };
    };
    return [
      row('p50', ({ p50Ms }) => p50Ms),
      row(
        'p99',
        ({ p99Ms }) => p99Ms,
        (ratio) => `≤ ${P99_GROWTH_MAX}: ${ratio <= P99_GROWTH_MAX ? 'kept' : 'MISSED'}`,
      ),
      row(
        'requests/s',
        ({ perSecond }) => perSecond,
        (ratio) => `≥ ${SPEED_SHARE_MIN}: ${ratio >= SPEED_SHARE_MIN ? 'kept' : 'MISSED'}`,
      ),
    ];
  });
}

function text({ p50Ms, p99Ms, perSecond, errors }: Felt): string {
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${perSecond.toFixed(0)} requests/s, ${errors} errors`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (process.argv[1] === import.meta.filename) printTable(await run());
