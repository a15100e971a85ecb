// One bit of a file of LevelDB is another one: what reads give then, and that a check finds it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { APP, key, openDatastore, write } from '../../datastore/fixture.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { damageOfTable } from '../../datastore/storage/table-file.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { contentOf, ENTITIES, type Round } from './damaged-store.ts';

const ROUNDS = 20;

let folder: string;
let tables: readonly string[];

const store = (name: string): LevelStore => new LevelStore(join(folder, name));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storage-damage-'));
  const { datastore } = await openDatastore({ store: store('good') });
  for (let at = 0; at < ENTITIES; at += 100) {
    await datastore.commit(
      APP,
      Array.from({ length: 100 }, (_, n) => write('insert', key('K', BigInt(at + n + 1)), contentOf(at + n))),
    );
  }
  await datastore.close();
  // One table file, made of the log: with several, LevelDB would compact them, and it ends the process over rows out of order.
  const again = store('good');
  await again.start();
  await again.close();
  tables = (await readdir(join(folder, 'good'))).filter((name) => name.endsWith('.ldb'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('sound files are sound, read by their own index', async () => {
  expect(tables.length).toBe(1);
  for (const name of tables) expect(await damageOfTable(join(folder, 'good', name))).toBeUndefined();
});

test('a file of which any one byte is another is found', async () => {
  const [name = ''] = tables;
  const good = await readFile(join(folder, 'good', name));
  const path = join(folder, 'one.ldb');
  const random = new SeededRandom(2);
  const flipped = async (at: number): Promise<string | undefined> => {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ (1 << Math.floor(random.fraction() * 7));
    await writeFile(path, bad);
    return damageOfTable(path);
  };
  const footer = good.length - 48;
  for (let round = 0; round < 100; round++) {
    // Every second time within the index.
    const from = round % 2 === 0 ? 0 : footer - 400;
    const at = from + Math.floor(random.fraction() * (footer - from));
    expect([at, await flipped(at)]).toEqual([at, expect.any(String)]);
  }
  // Four numbers of one to three bytes, and the magic; what lies between means nothing.
  for (const at of [0, 1, 2, 3, 40, 41, 47]) expect([at, await flipped(footer + at)]).toEqual([at, expect.any(String)]);
  await writeFile(path, good.subarray(0, good.length - 1));
  expect(await damageOfTable(path)).toBe('it has no footer');
  await writeFile(path, '');
  expect(await damageOfTable(path)).toBe('it has no footer');
});

test('a flipped bit never shows a wrong entity: an error, the end of the process, or nothing, and the check tells of it', async () => {
  const rounds: Round[] = [];
  let ended = 0;
  for (let next = 0; next < ROUNDS;) {
    const done = await looks(next);
    rounds.push(...done);
    next += done.length;
    // LevelDB ended the process over the round behind these.
    if (next < ROUNDS) {
      ended++;
      next++;
    }
  }
  const harmless = { wrong: 0, files: tables };
  for (const round of rounds) {
    if (round.refused !== undefined) continue;
    expect(round).toMatchObject(harmless);
    if ((round.missing ?? 0) + (round.corrupt ?? 0) > 0) expect(round.findings).toBeGreaterThan(0);
  }
  expect(ended).toBeLessThan(ROUNDS / 2);
  expect(rounds.filter(({ missing = 0, corrupt = 0 }) => missing + corrupt > 0).length).toBeGreaterThan(0);
});

/** As many rounds as one process sees to the end. */
async function looks(first: number): Promise<readonly Round[]> {
  const program = fileURLToPath(new URL('./damaged-store.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, folder, tables[0] ?? '', String(first), String(ROUNDS)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const rounds: Round[] = [];
  for await (const line of createInterface({ input: child.stdout })) rounds.push(JSON.parse(line) as Round);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.signalCode !== 'SIGABRT' && child.exitCode !== 0) throw new Error(said);
  return rounds;
}
