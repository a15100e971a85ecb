import { expect, test, vi } from 'vitest';
import { encodeEntity, encodeKey, encodeValue } from '../contract/entity-proto.ts';
import { PlatformError } from '../contract/errors.ts';
import { InProcessRpc } from '../contract/wire/client.ts';
import { type MethodHandler } from '../contract/wire/service.ts';
import { SeededRandom, VirtualTime } from '../support/virtual-time.ts';
import { Cursor, Datastore } from './datastore.ts';

function datastoreOver(methods: Record<string, MethodHandler>): { datastore: Datastore; time: VirtualTime } {
  const time = new VirtualTime();
  return { datastore: new Datastore(new InProcessRpc([{ name: 'datastore', methods }], time), time, new SeededRandom(1)), time };
}

const { datastore: keys } = datastoreOver({});
const entityBytes = (id: number): Buffer =>
  encodeEntity({ key: keys.key('K', id), properties: { n: { kind: 'integer', value: BigInt(id) } } });

test('a key takes kinds and ids or names in turn', () => {
  const key = keys.key('Guestbook', 'main', 'Greeting', 5);
  expect(key.path).toEqual([
    { kind: 'Guestbook', name: 'main' },
    { kind: 'Greeting', id: 5n },
  ]);
  expect(key).toMatchObject({ kind: 'Greeting', id: 5n, name: undefined, isComplete: true });
  expect(key.parent?.toString()).toBe(keys.key('Guestbook', 'main').toString());
  expect(keys.key('Greeting').isComplete).toBe(false);
  expect(keys.keyIn('eu', 'K', 'x').namespace).toBe('eu');
  expect(() => keys.key(5)).toThrow(/kinds are strings/);
  expect(() => keys.key('K', 1.5)).toThrow(/whole number/);
});

test('ids and names that look alike are different keys', () => {
  expect(keys.key('K', 5).toString()).not.toBe(keys.key('K', '5').toString());
  expect(keys.key('K', '#5').toString()).not.toBe(keys.key('K', 5).toString());
});

test('getMany asks again for what was deferred and keeps the order of the keys', async () => {
  const asked: number[] = [];
  const { datastore } = datastoreOver({
    lookup: (payload) => {
      const wanted = (payload as { keys: Buffer[] }).keys;
      asked.push(wanted.length);
      const [first, ...rest] = wanted;
      const id = [1, 2, 3].find((each) => first!.equals(encodeKey(keys.key('K', each))))!;
      return { found: id === 2 ? [] : [{ entity: entityBytes(id), version: 1n }], missing: [], deferred: rest };
    },
  });
  const found = await datastore.getMany([keys.key('K', 3), keys.key('K', 2), keys.key('K', 1)]);
  expect(found.map((entity) => entity?.properties['n'])).toEqual([3, undefined, 1]);
  expect(asked).toEqual([3, 2, 1]);
});

test('gql collects batches and goes on where the last one ended', async () => {
  const requests: Record<string, unknown>[] = [];
  const { datastore } = datastoreOver({
    runQuery: (payload) => {
      requests.push(payload as Record<string, unknown>);
      const first = requests.length === 1;
      return {
        resultKind: 'full',
        results: [{ entity: entityBytes(requests.length), version: 1n, cursor: Buffer.from('c') }],
        skipped: first ? 3 : 0,
        endCursor: Buffer.from(first ? 'after-1' : 'after-2'),
        more: first ? 'not-finished' : 'after-limit',
        query: { databaseId: '', namespace: '', orders: [], offset: first ? 3 : 0, limit: 2 },
      };
    },
  });
  const result = await datastore.gql('SELECT * FROM K WHERE a = @a LIMIT 2 OFFSET 3', { a: 'x' });
  expect(result.entities.map((entity) => entity.properties['n'])).toEqual([1, 2]);
  expect(Cursor.parse(result.cursor.toString()).bytes).toEqual(Buffer.from('after-2'));
  expect(requests[0]).toMatchObject({ gql: { text: 'SELECT * FROM K WHERE a = @a LIMIT 2 OFFSET 3', positional: [] } });
  expect(requests[1]).toEqual({
    query: { databaseId: '', namespace: '', orders: [], offset: 0, limit: 1, startCursor: Buffer.from('after-1') },
  });
});

test('aggregate answers values by name', async () => {
  const { datastore } = datastoreOver({
    runAggregation: (payload) => {
      expect(payload).toMatchObject({
        gql: { text: 'SELECT COUNT(*) AS n FROM K WHERE a = @1', named: {}, positional: [{ value: expect.any(Buffer) }] },
      });
      return { values: [{ alias: 'n', value: encodeValue({ kind: 'integer', value: 12n }) }] };
    },
  });
  expect(await datastore.aggregate('SELECT COUNT(*) AS n FROM K WHERE a = @1', ['x'])).toEqual({ n: 12 });
});

test('a transaction runs again after a conflict, with a pause, and returns what its function returned', async () => {
  let begun = 0;
  const commits: unknown[] = [];
  const { datastore, time } = datastoreOver({
    beginTransaction: () => ({ transaction: Buffer.from([++begun]) }),
    commit: (payload) => {
      commits.push(payload);
      if (commits.length < 3) throw new PlatformError('DS_TX_CONFLICT');
      return { results: [], commitTimeMicros: 1n };
    },
  });
  const work = vi.fn((transaction: { delete: (key: ReturnType<typeof keys.key>) => void }) => {
    transaction.delete(keys.key('K', 1));
    return 'done';
  });
  const result = datastore.transaction(work);
  await time.advanceAsync(5_000);
  await expect(result).resolves.toBe('done');
  expect(work).toHaveBeenCalledTimes(3);
  expect(commits).toEqual(
    [1, 2, 3].map((id) => ({ mutations: [{ op: 'delete', key: encodeKey(keys.key('K', 1)) }], transaction: Buffer.from([id]) })),
  );
});

test.each(['DS_TX_CONFLICT', 'DS_TX_INVALID', 'DS_OVERLOADED', 'STORE_UNREACHABLE'] as const)(
  'a transaction runs again when a read of it says %s',
  async (code) => {
    let reads = 0;
    const { datastore, time } = datastoreOver({
      beginTransaction: () => ({ transaction: Buffer.from([1]) }),
      rollback: () => ({}),
      lookup: () => {
        if (++reads === 1) throw new PlatformError(code);
        return { found: [], missing: [], deferred: [] };
      },
      commit: () => ({ results: [], commitTimeMicros: 1n }),
    });
    const result = datastore.transaction((transaction) => transaction.get(keys.key('K', 1)));
    await time.advanceAsync(5_000);
    await expect(result).resolves.toBeUndefined();
    expect(reads).toBe(2);
  },
);

test('a transaction whose outcome nobody knows is not run again', async () => {
  const work = vi.fn();
  const { datastore, time } = datastoreOver({
    beginTransaction: () => ({ transaction: Buffer.from([1]) }),
    commit: () => {
      throw new PlatformError('RPC_CONNECTION_LOST');
    },
  });
  const lost = datastore.transaction(work);
  lost.catch(() => undefined);
  await time.advanceAsync(5_000);
  await expect(lost).rejects.toMatchObject({ code: 'RPC_CONNECTION_LOST' });
  expect(work).toHaveBeenCalledOnce();
});

test('a transaction gives up after its attempts and rolls back what throws', async () => {
  const rolledBack = vi.fn();
  const { datastore, time } = datastoreOver({
    beginTransaction: () => ({ transaction: Buffer.from([1]) }),
    rollback: rolledBack,
    commit: () => {
      throw new PlatformError('DS_TX_CONFLICT');
    },
  });
  const conflicted = datastore.transaction(() => undefined, { attempts: 2 });
  conflicted.catch(() => undefined);
  await time.advanceAsync(5_000);
  await expect(conflicted).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
  await expect(datastore.transaction(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
  expect(rolledBack).toHaveBeenCalledOnce();
});

test('a cursor from elsewhere is refused', () => {
  expect(() => Cursor.parse('not a cursor!')).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
});

test.each([
  ['nothing', undefined],
  ['text', 'K:5'],
  ['a path', { path: [{ kind: 'K', id: 5n }] }],
])('%s is no key', async (_name, key) => {
  const { datastore } = datastoreOver({});
  const wrong = key as unknown as ReturnType<typeof keys.key>;
  for (const call of [datastore.get(wrong), datastore.delete(wrong), datastore.allocateIds(wrong, 1)]) {
    await expect(call).rejects.toMatchObject({ code: 'DS_INVALID', message: expect.stringContaining('want a key') });
  }
});

test.each([-1, 0.5, Number.NaN, 501, 1e9])('%s ids are not allocated', async (count) => {
  const { datastore } = datastoreOver({});
  await expect(datastore.allocateIds(datastore.key('K'), count)).rejects.toMatchObject({ code: 'DS_LIMIT' });
});

test('every read can be one of an earlier time, each batch of a query too', async () => {
  const asked: [string, unknown][] = [];
  const note =
    (name: string, answer: (count: number) => unknown): MethodHandler =>
    (payload) => {
      asked.push([name, (payload as { readTime?: bigint }).readTime]);
      return answer(asked.filter(([one]) => one === name).length);
    };
  const { datastore } = datastoreOver({
    lookup: note('lookup', () => ({ found: [], missing: [], deferred: [] })),
    runQuery: note('runQuery', (count) => ({
      ...{ resultKind: 'full', results: [], skipped: 0, endCursor: Buffer.from('x'), more: count === 1 ? 'not-finished' : 'no-more' },
      query: { databaseId: '', namespace: '', orders: [], offset: 0 },
    })),
    runAggregation: note('runAggregation', () => ({ values: [] })),
    beginTransaction: note('beginTransaction', () => ({ transaction: Buffer.from('t') })),
    commit: note('commit', () => ({ results: [], commitTimeMicros: 1n })),
  });
  const readTime = new Date(1_700_000_000_123);
  const micros = 1_700_000_000_123_000n;
  await datastore.get(keys.key('K', 1), { readTime });
  await datastore.gql('SELECT * FROM K', {}, { readTime });
  await datastore.aggregate('SELECT COUNT(*) AS n FROM K', {}, { readTime });
  await datastore.transaction((transaction) => transaction.get(keys.key('K', 1)), { readOnly: true, readTime });
  await datastore.get(keys.key('K', 1));
  expect(asked).toEqual([
    ['lookup', micros],
    ['runQuery', micros],
    ['runQuery', micros],
    ['runAggregation', micros],
    ['beginTransaction', micros],
    ['lookup', undefined],
    ['commit', undefined],
    ['lookup', undefined],
  ]);
  await expect(datastore.get(keys.key('K', 1), { readTime: new Date(NaN) })).rejects.toMatchObject({ code: 'DS_INVALID' });
});
