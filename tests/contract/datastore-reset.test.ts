// A reset over each storage adapter: at once, over a restart, and while others write.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP, get, key, namesOf, openDatastore, query, write } from '../../datastore/fixture.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { PostgresStore } from '../../datastore/storage/postgres-store.ts';
import { type Store } from '../../datastore/storage/port.ts';
import { encodeKey } from '../../sdk/contract/entity-proto.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { PostgresServer, postgresSkip } from './postgres-server.ts';

const KEPT = { appId: 'kept' };
const ENTITIES = 120;

async function resets(store: Store): Promise<void> {
  let open = await openDatastore({ store, eraserRowsMax: 100 });
  const put = async (scope: typeof APP, from: number): Promise<bigint> => {
    const mutations = Array.from({ length: ENTITIES }, (_, at) =>
      write('upsert', key('K', `n${from + at}`), { a: BigInt(at), b: ['x', 'y'] }),
    );
    return (await open.datastore.commit(scope, mutations)).commitTimeMicros;
  };
  const versions = [await put(APP, 0), await put(APP, 0), await put(KEPT, 0)];
  await open.datastore.ensureIndexes(APP, [
    {
      kind: 'K',
      ancestor: false,
      properties: [
        { name: 'a', direction: 'asc' },
        { name: 'b', direction: 'asc' },
      ],
    },
  ]);
  await open.datastore.indexesBuilt();
  const transaction = await open.datastore.beginTransaction(APP);
  await get(open.datastore, key('K', 'n1'), transaction);

  const resetting = open.datastore.reset((appId) => appId === KEPT.appId);
  const meanwhile = await Promise.allSettled([
    open.datastore.runQuery(APP, query('K')),
    open.datastore.lookup(APP, [encodeKey(key('K', 'n1')), encodeKey(key('K', 'n119'))]),
    open.datastore.commit(APP, [write('upsert', key('Late', 'l'), {})]),
  ]);
  await resetting;
  const [results, looked] = [meanwhile[0], meanwhile[1]];
  if (results.status === 'fulfilled') expect([0, ENTITIES]).toContain(results.value.results.length);
  if (looked.status === 'fulfilled') expect([0, 2]).toContain(looked.value.found.length);
  expect(meanwhile.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  await expect(get(open.datastore, key('K', 'n1'), transaction)).rejects.toMatchObject({ code: 'DS_TX_INVALID' });

  for (const isRestarted of [false, true]) {
    if (isRestarted) {
      await open.datastore.close();
      open = await openDatastore({ store });
    }
    expect(namesOf(await open.datastore.runQuery(APP, query('K')))).toEqual([]);
    expect(open.datastore.listIndexes(APP)).toEqual([]);
    expect((await open.datastore.runQuery(KEPT, query('K'))).results).toHaveLength(ENTITIES);
  }
  versions.push(await put(APP, 1_000));
  expect(versions).toEqual([...versions].sort((one, other) => (one < other ? -1 : 1)));
  expect((await open.datastore.runQuery(APP, query('K'))).results).toHaveLength(ENTITIES);
  expect((await open.datastore.checker.step({})).findings).toEqual([]);
  await open.datastore.close();
}

describe('a reset', () => {
  it('over level', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reset-'));
    try {
      await resets(new LevelStore(folder));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe.skipIf(postgresSkip() !== undefined)('a reset', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  it('over PostgreSQL', async () => {
    const url = await server.createSchema();
    await resets(new PostgresStore(systemClock, systemTimers, systemRandom, { url, holder: 'test' }));
  });
});
