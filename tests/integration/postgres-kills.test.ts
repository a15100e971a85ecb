// PostgreSQL and the process that writes to it, killed in the middle of commits: nothing acknowledged is lost, and no half
// of a commit is there.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StoreReader } from '../../datastore/storage/port.ts';
import { PostgresStore } from '../../datastore/storage/postgres-store.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { PostgresServer, postgresSkip } from '../contract/postgres-server.ts';

const skip = postgresSkip();
const bytes = (text: string): Buffer => Buffer.from(text);
const moduleUrl = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

/** Each commit writes two rows that belong together, then says so. */
const WRITER = `
import { PostgresStore } from ${moduleUrl('datastore/storage/postgres-store.ts')};
import { systemClock, systemRandom, systemTimers } from ${moduleUrl('sdk/support/clock.ts')};
const store = new PostgresStore(systemClock, systemTimers, systemRandom, { url: process.env.STORE_URL, holder: 'writer' });
await store.start();
let next = Number(process.argv[1]);
await Promise.all(Array.from({ length: 16 }, async () => {
  for (;;) {
    const id = next++;
    const transaction = store.begin();
    transaction.put(Buffer.from('left/' + id), Buffer.from('x'.repeat(500)));
    transaction.put(Buffer.from('right/' + id), Buffer.from('x'.repeat(500)));
    await transaction.commit();
    process.stdout.write(id + '\\n');
  }
}));
`;

async function idsOf(reader: StoreReader, prefix: string): Promise<ReadonlySet<number>> {
  const scan = reader.scan({ from: bytes(`${prefix}/`), to: bytes(`${prefix}0`) }, { keysOnly: true });
  const ids = new Set<number>();
  for (let rows = await scan.next(500); rows.length > 0; rows = await scan.next(500)) {
    for (const { key } of rows) ids.add(Number(key.toString().slice(prefix.length + 1)));
  }
  return ids;
}

describe.skipIf(skip !== undefined)('PostgreSQL', () => {
  let server: PostgresServer;
  let url: string;
  let store: PostgresStore;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  beforeEach(async () => {
    url = await server.createSchema();
    store = new PostgresStore(systemClock, systemTimers, systemRandom, { url, holder: 'writer' });
  });

  afterEach(() => store.close());

  it.each(['SIGKILL', 'SIGINT', 'SIGQUIT'] as const)('may end by %s and come back while commits and reads go on', async (signal) => {
    await store.start();
    const acknowledged: number[] = [];
    let isDone = false;
    let next = 0;
    const writers = Array.from({ length: 16 }, async () => {
      while (!isDone) {
        const id = next++;
        const transaction = store.begin();
        transaction.put(bytes(`left/${id}`), bytes('x'.repeat(500)));
        transaction.put(bytes(`right/${id}`), bytes('x'.repeat(500)));
        await transaction.commit();
        acknowledged.push(id);
        expect((await store.get(bytes(`left/${id}`)))?.length).toBe(500);
      }
    });
    const writing = Promise.all(writers);
    // A writer that fails ends the test at once, not by its time limit.
    const reached = (count: number): Promise<unknown> =>
      Promise.race([writing, expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(count)]);
    await reached(100);
    const transaction = store.begin();
    const snapshot = store.snapshot();
    await transaction.get(bytes('left/0'));
    await snapshot.pinned();
    await server.kill(signal);
    await server.resume();
    await reached(acknowledged.length + 100);
    for (const reader of [transaction, snapshot]) {
      await expect(reader.get(bytes('left/0'))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await expect(reader.scan({ from: bytes('a'), to: bytes('z') }).next(1)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await reader.close();
    }
    isDone = true;
    await writing;
    const [left, right] = [await idsOf(store, 'left'), await idsOf(store, 'right')];
    expect(left).toEqual(right);
    expect(acknowledged.filter((id) => !left.has(id))).toEqual([]);
  });

  it('has every acknowledged commit of a writer that was killed, whoever comes next', async () => {
    const acknowledged: number[] = [];
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', WRITER, String(round * 1_000_000)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, STORE_URL: url },
      });
      let count = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(Number(line));
        if (++count === 200 + round * 77) child.kill('SIGKILL');
      }
      await store.start();
      const [left, right] = [await idsOf(store, 'left'), await idsOf(store, 'right')];
      expect(left).toEqual(right);
      expect(acknowledged.filter((id) => !left.has(id))).toEqual([]);
      await store.close();
    }
    expect(acknowledged.length).toBeGreaterThan(600);
  });

  it('refuses a snapshot when all connections for them stay in use, and transactions do not suffer from it', async () => {
    await store.start();
    const held = Array.from({ length: LIMITS.postgresSnapshotsMax }, () => store.snapshot());
    await Promise.all(held.map((snapshot) => snapshot.pinned()));
    const oneTooMany = store.snapshot();
    const refused = expect(oneTooMany.get(bytes('a'))).rejects.toMatchObject({ code: 'DS_OVERLOADED' });
    const transaction = store.begin();
    expect(await transaction.get(bytes('a'))).toBeUndefined();
    await transaction.close();
    await refused;
    const patient = store.snapshot();
    const pinned = patient.pinned();
    await held[0]?.close();
    await pinned;
    await Promise.all([patient, oneTooMany, ...held].map((snapshot) => snapshot.close()));
  });
});
