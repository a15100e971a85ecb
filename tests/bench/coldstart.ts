// Cold start: from a request for an app of which nothing runs to the first byte of its answer, through the real router,
// against plain `node server.cjs` on a TCP port, one, five and twenty-five at once. And what an idle instance takes of the
// memory. Ours and the peer take turns, so that the machine's mood falls on both.
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ColdStart } from '../../sdk/contract/cold-start.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type BareNode, startBareNode } from './coldstart-parts/bare-node.ts';
import { ColdApps } from './coldstart-parts/cold-apps.ts';
import { residentBytes } from './coldstart-parts/resident-memory.ts';
import { type BenchRow, type BenchTable } from './table.ts';

export interface ColdStartOptions {
  /** How many apps are asked at once, and how often that is done. */
  readonly rounds?: Readonly<Record<number, number>>;
}

const ROUNDS: Readonly<Record<number, number>> = { 1: 15, 5: 6, 25: 4 };
/** docs/benchmarks.md: what the platform may add to the start of a plain process, and the bars for all of it. */
const ADDED_MS_MAX = 40;
const ONE_MS_MAX = 150;
const TWENTY_FIVE_P95_MS_MAX = 2_000;
const IDLE_BYTES_MAX = 10 * 2 ** 20;
const MiB = 2 ** 20;
const IDLE_MS = 500;
const repository = join(import.meta.dirname, '..', '..');

/** Both answer with five bytes. Name, folder in coldstart-parts. */
const KINDS = [
  ['Node http', 'http'],
  ['Express', 'express'],
] as const;

export async function run({ rounds = ROUNDS }: ColdStartOptions = {}): Promise<BenchTable> {
  const closing = new CloseStack();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'ae-bench-'));
    closing.defer(() => rm(directory, { recursive: true, force: true }));
    const apps = await ColdApps.start();
    closing.defer(() => apps.close());
    // The peer finds its packages by the same rule as ours; both are of one version.
    await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
    const rows: BenchRow[] = [];
    for (const [name, folder] of KINDS) rows.push(...(await compare({ name, folder, apps, directory, rounds })));
    return { title: 'Cold start: from a request and no instance to the first byte', rows };
  } finally {
    await closing.close();
  }
}

interface Comparison {
  readonly name: string;
  readonly folder: string;
  readonly apps: ColdApps;
  readonly directory: string;
  readonly rounds: Readonly<Record<number, number>>;
}

async function compare({ name, folder, apps, directory, rounds }: Comparison): Promise<BenchRow[]> {
  const counts = Object.keys(rounds).map(Number);
  const names = Array.from({ length: Math.max(...counts) }, (_, number) => `${folder}-${number}`);
  const code = join(directory, folder);
  await cp(join(import.meta.dirname, 'coldstart-parts', folder), code, { recursive: true });
  await writeFile(join(code, 'app.yaml'), 'runtime: nodejs\nentrypoint: node server.cjs\n');
  await apps.deploy(names, code);
  const rows: BenchRow[] = [];
  for (const count of counts) rows.push(...(await compareCount(name, names.slice(0, count), apps, code, rounds[count] ?? 1)));
  rows.push(await compareMemory(name, names[0] ?? '', apps, code));
  await apps.toZero(names);
  return rows;
}

async function compareCount(name: string, names: readonly string[], apps: ColdApps, code: string, rounds: number): Promise<BenchRow[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const phases: ColdStart[] = [];
  // One more at the beginning, which reads the files for both and does not count.
  for (let round = 0; round <= rounds; round++) {
    await apps.toZero(names);
    const oursMs = await Promise.all(names.map((app) => apps.timeFirstByte(app)));
    const nodes = await Promise.all(names.map(() => startBareNode(process.execPath, code, names.length)));
    await stopAll(nodes);
    if (round === 0) continue;
    ours.push(...oursMs);
    bare.push(...nodes.map(({ tookMs }) => tookMs));
  }
  for (const app of names) phases.push(...(await apps.coldStarts(app)).slice(-rounds));
  const added = percentile(ours, 0.5) - percentile(bare, 0.5);
  const what = `${name}, ${names.length} at once`;
  const row = (at: string, share: number, budget?: string): BenchRow => {
    const [oursMs, peer] = [percentile(ours, share), percentile(bare, share)];
    const kept = budget === undefined ? {} : { budget };
    return { name: `${what}, ${at}`, unit: 'ms', ours: oursMs, peer, peerName: 'node server.cjs', ratio: oursMs / peer, ...kept };
  };
  const p50 = row('p50', 0.5, names.length === 1 ? budgetOf(added, percentile(ours, 0.5)) : undefined);
  const p95 = row(
    'p95',
    0.95,
    names.length === 25 ? `≤ ${TWENTY_FIVE_P95_MS_MAX} ms: ${kept(percentile(ours, 0.95) <= TWENTY_FIVE_P95_MS_MAX)}` : undefined,
  );
  return [{ ...p50, name: `${p50.name} (adds ${added.toFixed(1)} ms: ${phasesText(phases)})` }, p95, row('max', 1)];
}

function budgetOf(addedMs: number, oursMs: number): string {
  return `≤ ${ONE_MS_MAX} ms: ${kept(oursMs <= ONE_MS_MAX)}; ≤ bare + ${ADDED_MS_MAX} ms: ${kept(addedMs <= ADDED_MS_MAX)}`;
}

async function compareMemory(name: string, app: string, apps: ColdApps, code: string): Promise<BenchRow> {
  await apps.toZero([app]);
  await apps.timeFirstByte(app);
  const [instance] = await apps.instances(app);
  const node = await startBareNode(process.execPath, code, 1);
  // Both have answered once and do nothing any more.
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const ours = residentBytes(instance?.pid ?? 0);
  const peer = residentBytes(node.child.pid ?? 0);
  await node.stop();
  const added = ours - peer;
  return {
    name: `${name}, memory of an idle instance (adds ${(added / MiB).toFixed(1)} MiB)`,
    unit: 'MiB',
    ours: ours / MiB,
    peer: peer / MiB,
    peerName: 'node server.cjs',
    ratio: ours / peer,
    budget: `≤ bare + ${IDLE_BYTES_MAX / MiB} MiB: ${kept(added <= IDLE_BYTES_MAX)}`,
  };
}

async function stopAll(nodes: readonly BareNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()));
}

/** The median of each phase, in milliseconds; the first byte is the app's own, from when it had the request. */
function phasesText(phases: readonly ColdStart[]): string {
  return (['spawnMs', 'runtimeMs', 'loadMs', 'readyMs', 'firstByteMs'] as const)
    .map((phase) => {
      const values = phases.flatMap((each) => each[phase] ?? []);
      return `${phase.replace('Ms', '')} ${values.length === 0 ? '?' : percentile(values, 0.5).toFixed(1)}`;
    })
    .join(', ');
}

const kept = (isKept: boolean): string => (isKept ? 'kept' : 'MISSED');

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
