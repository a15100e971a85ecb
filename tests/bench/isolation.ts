// What an app feels of a neighbour that takes all it can: its latency and its speed alone, then beside each kind of hog, as
// the platform runs apps and, in the same run, as plain processes without limits. Security 1 and 5.
import { cpus, loadavg } from 'node:os';
import { PlatformProcess } from '../integration/platform-process.ts';
import { BenchApp } from './bench-app.ts';
import { HOG_SERVER, HOGS, type HogKind } from './hog-app.ts';
import { errorsOf, latenciesOf, quantile, sendLoad } from './load.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface IsolationOptions {
  readonly hogs?: readonly HogKind[];
  readonly seconds?: number;
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
const HOG_MANIFEST = 'runtime: nodejs20\nautomatic_scaling:\n  max_concurrent_requests: 1\n  max_instances: 4\n';

export async function run({ hogs = HOGS, seconds = 5 }: IsolationOptions = {}): Promise<BenchTable> {
  say(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'} before the bench`);
  const ours = await measureSide('auto', hogs, seconds * 1_000);
  const plain = await measureSide('process', hogs, seconds * 1_000);
  return { title: 'Isolation: a victim beside a hog, each figure ÷ the victim alone on the same side', rows: rowsOf(hogs, ours, plain) };
}

async function measureSide(sandbox: string, hogs: readonly HogKind[], durationMs: number): Promise<Side> {
  const platform = await PlatformProcess.start(`--sandbox=${sandbox}`);
  try {
    const victim = await BenchApp.deploy(platform, 'victim', VICTIM_MANIFEST, VICTIM_SERVER);
    const hog = await BenchApp.deploy(platform, 'hog', HOG_MANIFEST, HOG_SERVER);
    await hog.stopInstances();
    await feel(victim, durationMs / 2);
    const alone = await feel(victim, durationMs);
    say(`--sandbox=${sandbox}: alone ${text(alone)}`);
    const beside = new Map<HogKind, Felt>();
    for (const kind of hogs) {
      const felt = await feelBeside(victim, hog, kind, durationMs);
      beside.set(kind, felt);
      say(`--sandbox=${sandbox}: beside ${kind} ${text(felt)}`);
    }
    return { alone, beside };
  } finally {
    await platform.remove();
  }
}

/** The hog's requests end by themselves, a little after the victim was measured, whatever becomes of this process. */
async function feelBeside(victim: BenchApp, hog: BenchApp, kind: HogKind, durationMs: number): Promise<Felt> {
  const hogMs = HOLD_OFF_MS + 2 * durationMs + 3_000;
  // More than its instances take, so that every one of them is busy and the queue is not empty.
  const hogging = sendLoad({
    ...hog.target,
    kind: 'closed',
    path: `/${kind}?ms=${hogMs}`,
    clients: 6,
    durationMs: HOLD_OFF_MS + 2 * durationMs,
  });
  await new Promise((resolve) => setTimeout(resolve, HOLD_OFF_MS));
  const felt = await feel(victim, durationMs);
  await hog.stopInstances();
  await hogging;
  await hog.stopInstances();
  return felt;
}

async function feel(victim: BenchApp, durationMs: number): Promise<Felt> {
  const steps = [{ perSecond: OPEN_PER_SECOND, durationMs }];
  const open = await sendLoad({ ...victim.target, kind: 'open', path: '/', steps });
  const closed = await sendLoad({ ...victim.target, kind: 'closed', path: '/', clients: CLIENTS, durationMs });
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
