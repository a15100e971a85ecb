// The datastore on a disk that fails, tears writes, fills up and loses its power: real LevelDB in a process of its own, with a
// library before its system calls (tests/faulty-disk). What was acknowledged is compared with what is read back.
//
// FAULTY_DISK_LOSSES=500 runs longer; FAULTY_DISK_SEED=N repeats a run's choices (moments stay the machine's).
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { key, write } from '../../datastore/fixture.ts';
import { Calls } from '../crash/calls.ts';
import { DatastoreChild, ServerProgram } from '../crash/child.ts';
import { Ledger } from '../crash/ledger.ts';
import { CrashLoad } from '../crash/load.ts';
import { type Fault, FaultyDisk, faultyDiskSkip } from '../faulty-disk/faulty-disk.ts';
import { waitFor } from './platform-process.ts';

const LOSSES = Number(process.env.FAULTY_DISK_LOSSES ?? 30);
const SEED = Number(process.env.FAULTY_DISK_SEED ?? Date.now() % 1_000_000);
const LOAD_MS_MAX = 100;
const STAYS = { CRASH_SERVER_STAYS: '1' };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: unknown) => (error instanceof PlatformError ? error.code : String(error)),
  );
}

describe.skipIf(faultyDiskSkip() !== undefined)('the datastore on a faulty disk', () => {
  let program: ServerProgram;
  let directory: string;
  let disk: FaultyDisk;
  let ledger: Ledger;
  let load: CrashLoad;
  let random: SeededRandom;
  let children: DatastoreChild[];

  beforeAll(async () => {
    program = await ServerProgram.build();
  });

  afterAll(() => program.remove());

  beforeEach(async () => {
    directory = await DatastoreChild.socketDirectory();
    disk = new FaultyDisk(join(directory, 'disk'));
    random = new SeededRandom(SEED);
    ledger = new Ledger();
    load = new CrashLoad(ledger, random);
    children = [];
    const child = await start();
    await load.prepare(child.socket);
    await child.kill();
  });

  afterEach(async () => {
    for (const child of children) if (!child.hasExited) await child.kill();
    await disk.remove();
    await rm(directory, { recursive: true, force: true });
  });

  function launch(environment: Readonly<Record<string, string>> = {}): DatastoreChild {
    const child = new DatastoreChild(program, disk.data, join(directory, `${children.length}.sock`), {
      environment: { ...disk.environment, ...environment },
    });
    children.push(child);
    return child;
  }

  async function start(environment: Readonly<Record<string, string>> = {}): Promise<DatastoreChild> {
    const child = launch(environment);
    await child.ready();
    return child;
  }

  function healthy(what: string): void {
    expect([...ledger.problems, ...load.problems].slice(0, 5), `seed ${SEED}, ${what}`).toEqual([]);
  }

  /** Everything is there, and everything on disk fits together. */
  async function verify(child: DatastoreChild, what: string): Promise<void> {
    await load.verify(child.socket);
    healthy(what);
    const calls = new Calls(child.socket);
    const { findings } = await calls.check();
    calls.close();
    expect(findings, `seed ${SEED}, ${what}`).toEqual([]);
  }

  it(`keeps what it acknowledged over ${LOSSES} power losses`, { timeout: 30_000 + LOSSES * 4_000 }, async () => {
    const count = { bytesLost: 0, namesLost: 0, inStart: 0 };
    await disk.losePower(random);
    for (let losses = 0; losses < LOSSES; losses++) {
      const child = launch();
      if (random.fraction() < 0.15) {
        await pause(random.fraction() * 250);
        count.inStart++;
      } else {
        await child.ready();
        await verify(child, `after power loss ${losses}`);
        // The longer names take to be on disk, the more there is to lose that relies on one.
        if (random.fraction() < 0.5) disk.fail({ operation: 'dirsync', after: 0, error: 'slow' });
        load.start(child.socket);
        await pause(random.fraction() * (random.fraction() < 0.3 ? 5 * LOAD_MS_MAX : LOAD_MS_MAX));
      }
      await child.kill();
      await load.stop();
      healthy(`under load, before power loss ${losses + 1}`);
      const { bytesLost, namesLost } = await disk.losePower(random);
      count.bytesLost += bytesLost;
      count.namesLost += namesLost;
    }
    await verify(await start(), 'at the end');
    console.log(
      `seed ${SEED}: ${LOSSES} power losses (${count.inStart} in the start), ${count.bytesLost} unsynced bytes and ${count.namesLost} changes of names ` +
        `lost, ${ledger.acknowledged} commits acknowledged, ${ledger.unknownApplied} unanswered there, ${ledger.unknownLost} not`,
    );
    expect(ledger.acknowledged).toBeGreaterThan(LOSSES * 2);
    if (LOSSES < 30) return;
    expect(count.bytesLost).toBeGreaterThan(0);
    expect(count.namesLost).toBeGreaterThan(0);
  });

  it.each<Fault>([
    { operation: 'sync', after: 0, error: 'EIO', times: 1 },
    { operation: 'sync', after: 25, error: 'EIO', times: 1 },
    { operation: 'write', after: 30, error: 'EIO', times: 1 },
    { operation: 'dirsync', after: 0, error: 'EIO', times: 1 },
    { operation: 'open', after: 1, error: 'EIO', times: 1 },
  ])('takes no write after $after operations and a failed $operation, until it is opened again', { timeout: 60_000 }, async (fault) => {
    const child = await start(STAYS);
    await load.verify(child.socket);
    load.start(child.socket);
    await pause(30);
    disk.fail(fault);
    // The clients end with the first commit that is refused, so what they were told before is what counts.
    await load.ended();
    const acknowledged = ledger.acknowledged;
    disk.mend();
    const calls = new Calls(child.socket);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await codeOf(calls.commit([write('upsert', key('Late', 'l'), {})]))).toBe('DS_CLOSED');
    }
    calls.close();
    await child.kill();
    await load.stop();
    expect(ledger.acknowledged).toBe(acknowledged);
    await disk.losePower(random);
    const next = await start();
    await verify(next, `after a failed ${fault.operation} and a power loss`);
    load.start(next.socket);
    await waitFor('a commit', () => ledger.acknowledged > acknowledged);
    await pause(random.fraction() * LOAD_MS_MAX);
    await next.kill();
    await load.stop();
    await disk.losePower(random);
    await verify(await start(), 'after another power loss');
  });

  it('loses nothing when the disk is full, and works again when there is space and it is opened again', { timeout: 60_000 }, async () => {
    const child = await start();
    await load.verify(child.socket);
    load.start(child.socket);
    await pause(50);
    disk.fail({ operation: 'space', after: 3, error: 'ENOSPC' });
    // As the role does: it ends, and the supervisor starts it again.
    expect(await child.exited).toBe(3);
    await load.stop();
    healthy('while the disk filled up');
    const acknowledged = ledger.acknowledged;
    await expect(start()).rejects.toThrow(/No space left|cannot be read|INTERNAL|ENOSPC/);
    disk.mend();
    const next = await start();
    await verify(next, 'with space again');
    load.start(next.socket);
    await waitFor('a commit', () => ledger.acknowledged > acknowledged);
    await pause(random.fraction() * LOAD_MS_MAX);
    await next.kill();
    await load.stop();
    await disk.losePower(random);
    await verify(await start(), 'after a power loss');
  });
});
