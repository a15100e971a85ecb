import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntity, decodeKey, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Datastore } from './datastore.ts';
import {
  and,
  APP,
  get,
  key,
  namesOf,
  openDatastore,
  type OpenDatastore,
  properties,
  query,
  remove,
  value,
  where,
  withIndexes,
  write,
} from './fixture.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('datastore', () => {
  let open: OpenDatastore;
  let datastore: Datastore;

  beforeEach(async () => {
    open = await openDatastore();
    datastore = open.datastore;
  });

  afterEach(() => datastore.close());

  describe('commit and lookup', () => {
    it('returns what was put, with the app as the project of its key', async () => {
      await datastore.commit(APP, [write('upsert', key('Greeting', 'a'), { content: 'hello', stars: 5n })]);
      expect(await get(datastore, key('Greeting', 'a'))).toEqual({
        key: { ...key('Greeting', 'a'), projectId: 'guestbook' },
        properties: Object.assign(Object.create(null), properties({ content: 'hello', stars: 5n })),
      });
    });

    it('answers found and missing keys, each once', async () => {
      await datastore.commit(APP, [write('upsert', key('K', 'a'), {})]);
      const keys = ['a', 'b', 'a'].map((name) => encodeKey(key('K', name)));
      const { found, missing, deferred } = await datastore.lookup(APP, keys);
      expect(found.map(({ entity }) => decodeEntity(entity).key.path)).toEqual([[{ kind: 'K', name: 'a' }]]);
      expect(missing.map((bytes) => decodeKey(bytes))).toEqual([{ ...key('K', 'b'), projectId: 'guestbook' }]);
      expect(deferred).toEqual([]);
    });

    it('defers what would make the answer too large', async () => {
      const large = { data: { ...value('x'.repeat(900_000)), excludeFromIndexes: true } };
      const names = Array.from({ length: 120 }, (_, at) => `n${at}`);
      for (const name of names)
        await datastore.commit(APP, [{ op: 'upsert', entity: encodeEntity({ key: key('K', name), properties: large }) }]);
      let rest: readonly Uint8Array[] = names.map((name) => encodeKey(key('K', name)));
      const found: string[] = [];
      for (let round = 0; rest.length > 0 && round < 50; round++) {
        const answer = await datastore.lookup(APP, rest);
        // What a client of gRPC takes unless it is told otherwise.
        expect(answer.found.reduce((sum, { entity }) => sum + entity.length + 100, 0)).toBeLessThan(4 * 2 ** 20);
        found.push(...answer.found.map(({ entity }) => decodeEntity(entity).key.path[0]?.name ?? ''));
        rest = answer.deferred;
      }
      expect(found).toEqual(names);
    }, 60_000);

    it('allocates ids in the scattered range and returns the completed keys', async () => {
      const { results } = await datastore.commit(APP, [
        write('insert', key('K'), {}),
        write('upsert', key('K', 'p', 'K'), {}),
        write('insert', key('K', 'named'), {}),
      ]);
      const [first, second, third] = results.map((result) => result.key && decodeKey(result.key));
      const id = first?.path[0]?.id ?? 0n;
      expect(id >= 2n ** 52n && id < 2n ** 52n + 2n ** 51n).toBe(true);
      expect(second?.path[1]?.id).not.toBe(id);
      expect(third).toBeUndefined();
      expect(await get(datastore, key('K', id))).toBeDefined();
    });

    it('keeps unknown fields and the order of properties byte for byte', async () => {
      const original = encodeEntity({ key: key('K', 'a'), properties: properties({ z: 'last', a: 'first' }) });
      const unknownField = Buffer.from([0xfa, 0x7f, 0x03, 0x01, 0x02, 0x03]);
      await datastore.commit(APP, [{ op: 'upsert', entity: Buffer.concat([original, unknownField]) }]);
      const { found } = await datastore.lookup(APP, [encodeKey(key('K', 'a'))]);
      expect(Buffer.from(found[0]?.entity ?? []).subarray(-unknownField.length)).toEqual(unknownField);
    });

    it('inserts only what is not there and updates only what is', async () => {
      await datastore.commit(APP, [write('insert', key('K', 'a'), { n: 1n })]);
      await expect(datastore.commit(APP, [write('insert', key('K', 'a'), {})])).rejects.toEqual(code('DS_ALREADY_EXISTS'));
      await expect(datastore.commit(APP, [write('update', key('K', 'b'), {})])).rejects.toEqual(code('DS_NOT_FOUND'));
      await datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n }), remove(key('K', 'never there'))]);
      expect((await get(datastore, key('K', 'a')))?.properties.n).toEqual(value(2n));
    });

    it('applies mutations in order, all or none', async () => {
      await datastore.commit(APP, [
        write('insert', key('K', 'a'), { n: 1n }),
        remove(key('K', 'a')),
        write('insert', key('K', 'a'), { n: 2n }),
      ]);
      expect((await get(datastore, key('K', 'a')))?.properties.n).toEqual(value(2n));
      const half = datastore.commit(APP, [write('upsert', key('K', 'b'), {}), write('update', key('K', 'missing'), {})]);
      await expect(half).rejects.toEqual(code('DS_NOT_FOUND'));
      expect(await get(datastore, key('K', 'b'))).toBeUndefined();
    });

    it('checks base versions against what is stored', async () => {
      const { results } = await datastore.commit(APP, [{ ...write('upsert', key('K', 'a'), {}), baseVersion: 0n }]);
      const version = results[0]?.version ?? 0n;
      const stale = datastore.commit(APP, [{ ...write('upsert', key('K', 'a'), {}), baseVersion: version - 1n }]);
      await expect(stale).rejects.toEqual(code('DS_TX_CONFLICT'));
      await datastore.commit(APP, [{ ...remove(key('K', 'a')), baseVersion: version }]);
    });

    it('gives strictly increasing versions, also when the clock stands still, goes back, or the datastore restarts', async () => {
      const versions: bigint[] = [];
      for (let round = 0; round < 4; round++) {
        for (let index = 0; index < 3; index++)
          versions.push((await datastore.commit(APP, [write('upsert', key('K', 'a'), {})])).commitTimeMicros);
        if (round === 1) {
          await datastore.close();
          open = await openDatastore({
            store: open.store,
            time: new (open.time.constructor as new (ms: number) => typeof open.time)(1_000),
          });
          datastore = open.datastore;
        }
      }
      expect(versions).toEqual([...new Set(versions)].sort((left, right) => (left < right ? -1 : 1)));
    });

    it('refuses keys of another app', async () => {
      const foreign = { ...key('K', 'a'), projectId: 'other' };
      await expect(datastore.commit(APP, [write('upsert', foreign, {})])).rejects.toEqual(code('DS_FORBIDDEN'));
      await expect(datastore.lookup(APP, [encodeKey(foreign)])).rejects.toEqual(code('DS_FORBIDDEN'));
      await expect(datastore.runQuery(APP, query('K', { filter: where('__key__', '>', foreign) }))).rejects.toEqual(code('DS_FORBIDDEN'));
    });

    it('keeps apps, databases and namespaces apart', async () => {
      const partitions = [key('K', 'a'), { ...key('K', 'a'), namespace: 'n' }, { ...key('K', 'a'), databaseId: 'd' }];
      for (const [at, one] of partitions.entries()) await datastore.commit(APP, [write('upsert', one, { n: BigInt(at) })]);
      await datastore.commit({ appId: 'guestbook2' }, [write('upsert', key('K', 'b'), { n: 9n })]);
      for (const [at, one] of partitions.entries()) {
        const answer = await datastore.runQuery(
          APP,
          query('K', { namespace: one.namespace, databaseId: one.databaseId, orders: [{ property: 'n', direction: 'desc' }] }),
        );
        expect(answer.results.map(({ entity }) => decodeEntity(entity).properties.n)).toEqual([value(BigInt(at))]);
      }
    });

    it.each([
      ['a reserved kind', write('upsert', key('__Kind__', 'a'), {}), 'DS_INVALID'],
      ['a reserved property', write('upsert', key('K', 'a'), { __p__: 1n }), 'DS_INVALID'],
      ['an empty name', write('upsert', key('K', ''), {}), 'DS_INVALID'],
      ['id zero', write('upsert', key('K', 0n), {}), 'DS_INVALID'],
      ['an incomplete parent', write('upsert', { ...key('K', 'a'), path: [{ kind: 'P' }, { kind: 'K', name: 'a' }] }, {}), 'DS_INVALID'],
      ['an incomplete key to update', write('update', key('K'), {}), 'DS_INVALID'],
      ['a long indexed string', write('upsert', key('K', 'a'), { s: 'é'.repeat(751) }), 'DS_LIMIT'],
      ['a long kind', write('upsert', key('K'.repeat(1501), 'a'), {}), 'DS_LIMIT'],
      ['an exploding array', write('upsert', key('K', 'a'), { s: Array.from({ length: 20_001 }, (_, at) => BigInt(at)) }), 'DS_LIMIT'],
    ])('refuses %s', async (_, mutation, wanted) => {
      await expect(datastore.commit(APP, [mutation])).rejects.toEqual(code(wanted));
    });
  });

  describe('transactions', () => {
    beforeEach(() => datastore.commit(APP, [write('upsert', key('Counter', 'c'), { n: 1n })]));

    it('read the state of their begin and never their own writes', async () => {
      const transaction = await datastore.beginTransaction(APP);
      await datastore.commit(APP, [write('upsert', key('Counter', 'new'), { n: 1n })]);
      expect(await get(datastore, key('Counter', 'new'), transaction)).toBeUndefined();
      expect(namesOf(await datastore.runQuery(APP, query('Counter'), { transaction }))).toEqual(['c']);
      await datastore.rollback(APP, transaction);
    });

    it('conflict when what they read has changed, and are over then', async () => {
      await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
      const transaction = await datastore.beginTransaction(APP);
      await get(datastore, key('Counter', 'c'), transaction);
      await datastore.commit(APP, [write('upsert', key('Counter', 'c'), { n: 5n })]);
      const commit = datastore.commit(APP, [write('upsert', key('Counter', 'd'), {})], { transaction });
      await expect(commit).rejects.toEqual(code('DS_TX_CONFLICT'));
      await expect(datastore.commit(APP, [], { transaction })).rejects.toEqual(code('DS_TX_INVALID'));
      await expect(datastore.rollback(APP, transaction)).rejects.toEqual(code('DS_TX_INVALID'));
    });

    it('conflict with an entity that appears in a query they ran', async () => {
      await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
      const transaction = await datastore.beginTransaction(APP);
      await datastore.runQuery(APP, query('Counter', { filter: where('n', '>', 0n) }), { transaction });
      await datastore.commit(APP, [write('upsert', key('Counter', 'phantom'), { n: 7n })]);
      await expect(datastore.commit(APP, [write('upsert', key('Other', 'd'), {})], { transaction })).rejects.toEqual(
        code('DS_TX_CONFLICT'),
      );
    });

    it('commit when nothing they read has changed', async () => {
      const transaction = await datastore.beginTransaction(APP);
      await get(datastore, key('Counter', 'c'), transaction);
      await datastore.commit(APP, [write('upsert', key('Unrelated', 'x'), {})]);
      await datastore.commit(APP, [write('update', key('Counter', 'c'), { n: 2n })], { transaction });
      expect((await get(datastore, key('Counter', 'c')))?.properties.n).toEqual(value(2n));
    });

    it('lose no increment under contention', async () => {
      const increment = async (): Promise<void> => {
        for (;;) {
          const transaction = await datastore.beginTransaction(APP);
          const entity = await get(datastore, key('Counter', 'c'), transaction);
          const n = entity?.properties.n?.kind === 'integer' ? entity.properties.n.value : 0n;
          try {
            await datastore.commit(APP, [write('update', key('Counter', 'c'), { n: n + 1n })], { transaction });
            return;
          } catch (error) {
            expect(error).toEqual(code('DS_TX_CONFLICT'));
          }
        }
      };
      await Promise.all(Array.from({ length: 10 }, increment));
      expect((await get(datastore, key('Counter', 'c')))?.properties.n).toEqual(value(11n));
    });

    it('cannot delete what came to be after their begin', async () => {
      const transaction = await datastore.beginTransaction(APP);
      await get(datastore, key('Counter', 'c'), transaction);
      await datastore.commit(APP, [write('insert', key('Counter', 'new'), {})]);
      await expect(datastore.commit(APP, [remove(key('Counter', 'new'))], { transaction })).rejects.toEqual(code('DS_TX_CONFLICT'));
      expect(await get(datastore, key('Counter', 'new'))).toBeDefined();
    });

    it('do not use an index that was built after their begin', async () => {
      const asked = query('Counter', {
        filter: where('n', '>', 0n),
        orders: [{ property: 'n', direction: 'asc' }],
        projection: ['n', 'm'],
      });
      await datastore.commit(APP, [write('upsert', key('Counter', 'c'), { n: 1n, m: 2n })]);
      const transaction = await datastore.beginTransaction(APP, { readOnly: true });
      expect(namesOf(await withIndexes(datastore, () => datastore.runQuery(APP, asked)))).toEqual(['c']);
      await expect(datastore.runQuery(APP, asked, { transaction })).rejects.toEqual(code('DS_NEED_INDEX'));
      await datastore.rollback(APP, transaction);
    });

    it('read-only ones refuse writes and never conflict', async () => {
      const transaction = await datastore.beginTransaction(APP, { readOnly: true });
      await get(datastore, key('Counter', 'c'), transaction);
      await datastore.commit(APP, [write('upsert', key('Counter', 'c'), { n: 5n })]);
      expect((await get(datastore, key('Counter', 'c'), transaction))?.properties.n).toEqual(value(1n));
      await datastore.commit(APP, [], { transaction });
      const writing = await datastore.beginTransaction(APP, { readOnly: true });
      await expect(datastore.commit(APP, [remove(key('Counter', 'c'))], { transaction: writing })).rejects.toEqual(code('DS_INVALID'));
    });

    it('belong to their app', async () => {
      const transaction = await datastore.beginTransaction(APP);
      await expect(datastore.commit({ appId: 'other' }, [], { transaction })).rejects.toEqual(code('DS_TX_INVALID'));
      await datastore.commit(APP, [], { transaction });
    });

    it('end after 60 idle seconds and after 270 seconds in any case', async () => {
      const [idle, busy] = [await datastore.beginTransaction(APP), await datastore.beginTransaction(APP)];
      for (let second = 0; second < 270; second += 30) {
        await get(datastore, key('Counter', 'c'), busy);
        open.time.advance(30_000);
      }
      await expect(get(datastore, key('Counter', 'c'), idle)).rejects.toEqual(code('DS_TX_INVALID'));
      open.time.advance(1);
      await expect(get(datastore, key('Counter', 'c'), busy)).rejects.toEqual(code('DS_TX_INVALID'));
    });

    it('have a limit per app', async () => {
      const all = await Promise.all(Array.from({ length: 1_000 }, () => datastore.beginTransaction(APP)));
      await expect(datastore.beginTransaction(APP)).rejects.toEqual(code('DS_LIMIT'));
      await datastore.beginTransaction({ appId: 'other' });
      await datastore.rollback(APP, all[0]!);
      await datastore.beginTransaction(APP);
    });
  });

  it('lets 64 clients write one entity without a conflict', async () => {
    await Promise.all(Array.from({ length: 64 }, (_, at) => datastore.commit(APP, [write('upsert', key('K', 'hot'), { n: BigInt(at) })])));
    const { results } = await datastore.runQuery(APP, query('K', { filter: where('n', '>=', 0n) }));
    expect(results).toHaveLength(1);
  });

  it('never gives an id twice, over restarts too', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) {
      for (let call = 0; call < 5; call++) {
        const { keys } = await datastore.allocateIds(
          APP,
          Array.from({ length: 300 }, () => encodeKey(key('K'))),
        );
        for (const bytes of keys) seen.add(String(decodeKey(bytes).path[0]?.id));
      }
      await datastore.close();
      open = await openDatastore({ store: open.store });
      datastore = open.datastore;
    }
    expect(seen.size).toBe(4_500);
  });

  describe('the guestbook', () => {
    const gql = { text: 'SELECT * FROM Greeting WHERE __key__ HAS ANCESTOR @1 ORDER BY date DESC LIMIT 10', databaseId: '', namespace: '' };
    const book = { kind: 'value' as const, value: value(key('Guestbook', 'main')) };

    beforeEach(async () => {
      for (let at = 0; at < 25; at++) {
        const parent = at % 5 === 0 ? 'other' : 'main';
        await datastore.commit(APP, [
          write('insert', key('Guestbook', parent, 'Greeting', `g${at}`), { date: new Date(1_000 * at), content: 'hi' }),
        ]);
      }
    });

    it('says which index its query needs', async () => {
      await expect(datastore.runGql(APP, { ...gql, positional: [book] })).rejects.toMatchObject({
        code: 'DS_NEED_INDEX',
        message: expect.stringContaining('- kind: Greeting\n  ancestor: yes\n  properties:\n  - name: date\n    direction: desc') as string,
        details: { indexYaml: '- kind: Greeting\n  ancestor: yes\n  properties:\n  - name: date\n    direction: desc' },
      });
    });

    it('shows the latest ten greetings once the index is there, old and new ones', async () => {
      const run = () => withIndexes(datastore, () => datastore.runGql(APP, { ...gql, positional: [book] }, { explain: true }));
      const first = await run();
      expect(datastore.listIndexes(APP).map(({ state }) => state)).toEqual(['serving']);
      await datastore.commit(APP, [write('insert', key('Guestbook', 'main', 'Greeting', 'newest'), { date: new Date(1_000_000) })]);
      const second = await run();
      if (first.kind !== 'query' || second.kind !== 'query') throw new Error('not a query');
      expect(namesOf(first.answer)).toEqual(['g24', 'g23', 'g22', 'g21', 'g19', 'g18', 'g17', 'g16', 'g14', 'g13']);
      expect(namesOf(second.answer).slice(0, 2)).toEqual(['newest', 'g24']);
      expect(second.answer.more).toBe('after-limit');
      expect(second.answer.plan).toEqual({
        durationMs: 0,
        indexesUsed: [{ scope: 'Includes ancestors', properties: '(date DESC, __name__ ASC)' }],
        scans: ['index Greeting(ancestor, date desc), forward: below Guestbook:"main"'],
        indexRowsRead: 10,
        entitiesRead: 10,
      });
    });

    it('counts in GQL', async () => {
      const answer = await datastore.runGql(APP, {
        ...gql,
        text: 'SELECT COUNT(*) AS total FROM Greeting WHERE content = @c',
        named: { c: { kind: 'value', value: value('hi') } },
      });
      expect(answer).toMatchObject({ kind: 'aggregation', answer: { values: [{ alias: 'total', value: value(25n) }] } });
    });

    it('goes on building an index after a restart, and serves it when it is complete', async () => {
      const many = Array.from({ length: 450 }, (_, at) =>
        write('upsert', key('Guestbook', 'main', 'Greeting', `m${at}`), { date: new Date(at), n: BigInt(at) }),
      );
      await datastore.commit(APP, many);
      await datastore.ensureIndexes(APP, [{ kind: 'Greeting', ancestor: true, properties: [{ name: 'n', direction: 'asc' }] }]);
      await datastore.close();
      open = await openDatastore({ store: open.store });
      datastore = open.datastore;
      await datastore.indexesBuilt();
      const filter = and(where('__key__', 'has-ancestor', key('Guestbook', 'main')), where('n', '>=', 440n));
      expect(namesOf(await datastore.runQuery(APP, query('Greeting', { filter })))).toEqual(
        Array.from({ length: 10 }, (_, at) => `m${440 + at}`),
      );
    });
  });
});
