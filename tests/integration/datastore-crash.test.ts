// kill -9 of the datastore process at random moments of its life: under load, while it starts, recovers, counts, compacts,
// cuts tablets and builds indexes. After each, what was acknowledged is compared with what is read back.
//
// DATASTORE_CRASH_KILLS=2000 runs longer; DATASTORE_CRASH_SEED=N repeats a run's choices (moments stay the machine's).
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { Calls } from '../crash/calls.ts';
import { DatastoreChild, ServerProgram } from '../crash/child.ts';
import { Ledger } from '../crash/ledger.ts';
import { CrashLoad } from '../crash/load.ts';
import { waitFor } from './platform-process.ts';

const KILLS = Number(process.env.DATASTORE_CRASH_KILLS ?? 200);
const SEED = Number(process.env.DATASTORE_CRASH_SEED ?? Date.now() % 1_000_000);
const LOAD_MS_MAX = 140;
/** One life in ten is longer. */
const LONG_LOAD_MS_MAX = 700;
const CHECK_EVERY_KILLS = 10;
const TABLETS_AT_FIRST = 3;
const DATA_BYTES_MAX = 64 * 1024 * 1024;

let program: ServerProgram;
let directory: string;

beforeAll(async () => {
  program = await ServerProgram.build();
  directory = await DatastoreChild.socketDirectory();
});

afterAll(async () => {
  await program.remove();
  await rm(directory, { recursive: true, force: true });
});

/** Ever smaller, so that there are tablets to cut in every life. */
const splitBytesAt = (kills: number): number => Math.max(2_048, Math.round(40_000 * 0.985 ** kills));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function untilTablets(socket: string, count: number): Promise<void> {
  const calls = new Calls(socket);
  await waitFor(`${count} tablets`, async () => (await calls.tablets()) >= count);
  calls.close();
}

/** Whether LevelDB's own log ends inside a compaction. */
async function wasCompacting(data: string): Promise<boolean> {
  const log = await readFile(join(data, 'LOG'), 'utf8').catch(() => '');
  const last = (pattern: RegExp): number => Math.max(-1, ...[...log.matchAll(pattern)].map(({ index }) => index));
  return last(/Compacting |: started/g) > last(/compacted to|: \d+ bytes/g);
}

async function bytesIn(data: string): Promise<number> {
  const files = await readdir(data);
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(data, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test(
  `${KILLS} kills at random moments lose nothing that was acknowledged and leave no half of anything`,
  { timeout: KILLS * 3_000 },
  async () => {
    const data = join(directory, 'store');
    const random = new SeededRandom(SEED);
    const ledger = new Ledger();
    const load = new CrashLoad(ledger, random);
    const count = { kills: 0, underLoad: 0, inStart: 0, compacting: 0, checks: 0, tablets: 1 };
    let startMs = 100;
    let next = 0;
    const socketOfNext = (): string => join(directory, `${next++}.sock`);
    const healthy = (what: string): void => {
      expect([...ledger.problems, ...load.problems].slice(0, 5), `seed ${SEED}, ${what} after kill ${count.kills}`).toEqual([]);
    };

    const check = async (socket: string): Promise<void> => {
      const calls = new Calls(socket);
      const { rows, findings } = await calls.check();
      calls.close();
      expect(findings, `seed ${SEED}, everything on disk after kill ${count.kills}`).toEqual([]);
      expect(rows).toBeGreaterThan(1_000);
    };

    const first = new DatastoreChild(program, data, socketOfNext());
    await first.ready();
    await load.prepare(first.socket);
    await untilTablets(first.socket, TABLETS_AT_FIRST);
    await first.kill();

    while (count.kills < KILLS) {
      const beganMs = performance.now();
      const child = new DatastoreChild(program, data, socketOfNext(), { splitBytes: splitBytesAt(count.kills) });
      if (random.fraction() < 0.2) {
        // While it starts, or just after.
        await pause(random.fraction() * startMs * 1.4);
        count.inStart++;
      } else {
        await child.ready();
        startMs = 0.8 * startMs + 0.2 * (performance.now() - beganMs);
        await load.verify(child.socket);
        healthy('read back');
        if (count.kills >= (count.checks + 1) * CHECK_EVERY_KILLS) {
          await check(child.socket);
          count.checks++;
        }
        load.start(child.socket);
        await pause(random.fraction() * (random.fraction() < 0.1 ? LONG_LOAD_MS_MAX : LOAD_MS_MAX));
        count.underLoad++;
      }
      expect(child.hasExited, `the process ended by itself before kill ${count.kills}: ${child.errors}`).toBe(false);
      await child.kill();
      await load.stop();
      healthy('under load');
      expect(child.errors, `stderr of the process of kill ${count.kills}`).toBe('');
      count.kills++;
      if (await wasCompacting(data)) count.compacting++;
    }

    const last = new DatastoreChild(program, data, socketOfNext(), { splitBytes: splitBytesAt(count.kills) });
    await last.ready();
    await load.verify(last.socket);
    healthy('read back');
    await check(last.socket);
    // Left alone it cuts what is too large now.
    await untilTablets(last.socket, TABLETS_AT_FIRST + 1);
    const calls = new Calls(last.socket);
    count.tablets = await calls.tablets();
    calls.close();
    await last.kill();
    const bytes = await bytesIn(data);
    console.log(
      `seed ${SEED}: ${count.kills} kills (${count.underLoad} under load, ${count.inStart} in the start, ${count.compacting} in a compaction), ` +
        `${ledger.acknowledged} commits acknowledged, ${load.transactions} transactions, ${load.conflicts} conflicts, ` +
        `${ledger.unknownApplied + ledger.unknownLost} answers lost (${ledger.unknownApplied} there, ${ledger.unknownLost} not), ` +
        `${ledger.compared} entities and ${load.compositeQueries} queries of a composite index compared, ${count.checks} checks of everything on disk, ` +
        `${count.tablets} tablets, ${Math.round(bytes / 1024)} KiB, start ${Math.round(startMs)} ms`,
    );
    // Far below what a busy machine does, far above a load that does not write.
    expect(ledger.acknowledged).toBeGreaterThan(KILLS);
    expect(ledger.unknownApplied + ledger.unknownLost).toBeGreaterThan(KILLS);
    expect(bytes).toBeLessThan(DATA_BYTES_MAX);
  },
);
