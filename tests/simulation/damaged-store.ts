// A datastore over LevelDB files of which one bit is another, and what its reads and its check say: a program of its own,
// because LevelDB ends the process over some of them. It prints one line of JSON for each round.
//
//   tsx damaged-store.ts FOLDER TABLE FIRST_ROUND ROUNDS
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { APP, get, key, openDatastore, properties } from '../../datastore/fixture.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';

export const ENTITIES = 1_500;

export interface Round {
  readonly round: number;
  /** Names of the files that the check found damaged. */
  readonly files: readonly string[];
  /** What opening it threw. */
  readonly refused?: string;
  /** Entities that are other ones than were written. */
  readonly wrong?: number;
  /** Entities that are not there. */
  readonly missing?: number;
  /** Entities whose reading threw DS_CORRUPT. */
  readonly corrupt?: number;
  /** Findings of the check of rows. */
  readonly findings?: number;
}

export function contentOf(n: number): { readonly n: bigint; readonly text: string } {
  return { n: BigInt(n), text: `text ${n} `.repeat(20) };
}

async function look(folder: string, table: string, round: number): Promise<Round> {
  const directory = join(folder, 'bad');
  await rm(directory, { recursive: true, force: true });
  await cp(join(folder, 'good'), directory, { recursive: true });
  const random = new SeededRandom(round + 1);
  const bytes = await readFile(join(directory, table));
  const at = Math.floor(random.fraction() * (bytes.length - 48));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random.fraction() * 8));
  await writeFile(join(directory, table), bytes);
  // Young files are waited for: in the year 2100 these are old.
  const time = new VirtualTime(Date.UTC(2100, 0, 1));
  try {
    const { datastore } = await openDatastore({ store: new LevelStore(directory), storeDirectory: directory, time });
    const { findings: files } = await datastore.fileChecker.step();
    const counts = { wrong: 0, missing: 0, corrupt: 0, findings: 0 };
    for (let n = 0; n < ENTITIES; n++) {
      try {
        const entity = await get(datastore, key('K', BigInt(n + 1)));
        if (!entity) counts.missing++;
        else if (entity.key.path[0]?.id !== BigInt(n + 1) || !isDeepStrictEqual({ ...entity.properties }, properties(contentOf(n))))
          counts.wrong++;
      } catch (error) {
        if (!(error instanceof PlatformError) || error.code !== 'DS_CORRUPT') throw error;
        counts.corrupt++;
      }
    }
    for (let from: Uint8Array | undefined; ;) {
      const step = await datastore.checker.step(APP, from ? { from } : {});
      counts.findings += step.findings.length;
      from = step.next;
      if (!from) break;
    }
    await datastore.close();
    return { round, files: files.map(({ row }) => row), ...counts };
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'DS_CORRUPT') throw error;
    return { round, files: [], refused: error.message };
  }
}

const [, program, folder, table, first, rounds] = process.argv;
if (program?.endsWith('damaged-store.ts') && folder !== undefined && table !== undefined) {
  for (let round = Number(first); round < Number(rounds); round++) {
    process.stdout.write(`${JSON.stringify(await look(folder, table, round))}\n`);
  }
}
