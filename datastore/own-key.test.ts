import { describe, expect, it } from 'vitest';
import { decodeEntity, decodeKey, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Key } from '../sdk/contract/key.ts';
import { type Query } from '../sdk/contract/query.ts';
import { type DatastoreScope } from './codec/own-key.ts';
import { type Datastore } from './datastore.ts';
import { and, APP, key, namesOf, openDatastore, query, value, where, write } from './fixture.ts';

/** The same app, whose caller calls its project otherwise. */
const NAMED: DatastoreScope = { ...APP, projectId: 'my-project' };

const of = (projectId: string, one: Key): Key => ({ ...one, projectId });
const inDatabase = (databaseId: string, one: Key): Key => ({ ...one, databaseId });

async function run(datastore: Datastore, scope: DatastoreScope, asked: Query): Promise<readonly string[]> {
  return namesOf(await datastore.runQuery(scope, asked));
}

describe('an app whose caller calls its project otherwise', () => {
  it('finds an entity by that name, by no name and by the app id, and answers in that name', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(NAMED, [write('insert', of('my-project', key('Kind', 'a')), { n: 1n })]);
    for (const name of ['my-project', '', 'guestbook']) {
      const { found, missing } = await datastore.lookup(
        NAMED,
        [key('Kind', 'a'), key('Kind', 'b')].map((one) => encodeKey(of(name, one))),
      );
      expect(found.map(({ entity }) => decodeEntity(entity))).toEqual([
        { key: of('my-project', key('Kind', 'a')), properties: { n: value(1n) } },
      ]);
      expect(missing.map(decodeKey)).toEqual([of('my-project', key('Kind', 'b'))]);
    }
    const { found } = await datastore.lookup(APP, [encodeKey(key('Kind', 'a'))]);
    expect(found.map(({ entity }) => decodeEntity(entity).key)).toEqual([of('guestbook', key('Kind', 'a'))]);
  });

  it('refuses the key of another project, in a look-up, a commit and a filter', async () => {
    const { datastore } = await openDatastore();
    const other = of('other', key('Kind', 'a'));
    await expect(datastore.lookup(NAMED, [encodeKey(other)])).rejects.toThrow(/a key of "other", used by "my-project"/);
    await expect(datastore.commit(NAMED, [write('upsert', other, {})])).rejects.toThrow(/a key of "other"/);
    await expect(datastore.runQuery(NAMED, query('Kind', { filter: where('__key__', '=', other) }))).rejects.toThrow(/a key of "other"/);
    await expect(datastore.lookup(APP, [encodeKey(of('my-project', key('Kind', 'a')))])).rejects.toThrow(/a key of "my-project"/);
  });

  it('gets allocated and completed keys in that name', async () => {
    const { datastore } = await openDatastore();
    const { keys } = await datastore.allocateIds(NAMED, [encodeKey(of('my-project', key('Kind')))]);
    expect(keys.map((one) => decodeKey(one).projectId)).toEqual(['my-project']);
    const { results } = await datastore.commit(NAMED, [write('insert', key('Kind'), {})]);
    expect(results.map((result) => result.key && decodeKey(result.key).projectId)).toEqual(['my-project']);
  });

  it('has deferred keys in that name', async () => {
    const { datastore } = await openDatastore();
    const keys = Array.from({ length: 120 }, (_, at) => key('Big', BigInt(at + 1)));
    const big = { ...value('x'.repeat(60_000)), excludeFromIndexes: true };
    for (const one of keys) await datastore.commit(APP, [{ op: 'upsert', entity: encodeEntity({ key: one, properties: { big } }) }]);
    const { deferred } = await datastore.lookup(NAMED, keys.map(encodeKey));
    expect(deferred.length).toBeGreaterThan(0);
    expect(new Set(deferred.map((one) => decodeKey(one).projectId))).toEqual(new Set(['my-project']));
  });

  it('names results so, whole, projected and keys alone', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    for (const projection of [undefined, ['n'], ['__key__']]) {
      const { results } = await datastore.runQuery(NAMED, query('Kind', projection ? { projection } : {}));
      expect(results.map(({ entity }) => decodeEntity(entity).key)).toEqual([of('my-project', key('Kind', 'a'))]);
    }
  });

  it('means the app by that name in filters on keys and ancestors', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Root', 'r', 'Kind', 'a'), {}), write('insert', key('Root', 'r', 'Kind', 'b'), {})]);
    for (const name of ['my-project', '', 'guestbook']) {
      const first = of(name, key('Root', 'r', 'Kind', 'a'));
      expect(await run(datastore, NAMED, query('Kind', { filter: where('__key__', '=', first) }))).toEqual(['a']);
      expect(await run(datastore, NAMED, query('Kind', { filter: where('__key__', '>', first) }))).toEqual(['b']);
      expect(await run(datastore, NAMED, query('Kind', { filter: where('__key__', 'in', [first]) }))).toEqual(['a']);
      expect(await run(datastore, NAMED, query('Kind', { filter: where('__key__', 'has-ancestor', of(name, key('Root', 'r'))) }))).toEqual([
        'a',
        'b',
      ]);
    }
  });

  it('goes on from a cursor that it got under the other name', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), {}), write('insert', key('Kind', 'b'), {})]);
    const above = (name: string): Query => query('Kind', { filter: where('__key__', '>=', of(name, key('Kind', 'a'))), limit: 1 });
    const { endCursor } = await datastore.runQuery(NAMED, above('my-project'));
    expect(await run(datastore, NAMED, { ...above('guestbook'), startCursor: endCursor })).toEqual(['b']);
  });
});

describe('a key value within an entity', () => {
  const target = key('Target', 't');
  const names: readonly (readonly [DatastoreScope, string])[] = [
    [NAMED, 'my-project'],
    [NAMED, 'guestbook'],
    [NAMED, ''],
    [APP, 'guestbook'],
    [APP, ''],
  ];

  it('is found through any name of the project, whatever name it was written with', async () => {
    for (const [writer, written] of names) {
      const { datastore } = await openDatastore();
      await datastore.commit(writer, [write('insert', key('Kind', 'a'), { to: of(written, target), n: [of(written, target)] })]);
      for (const [reader, asked] of names) {
        const filter = and(where('to', '=', of(asked, target)), where('n', 'in', [of(asked, target)]));
        expect(await run(datastore, reader, query('Kind', { filter })), `${written} read as ${asked}`).toEqual(['a']);
      }
    }
  });

  it('is answered in the name that the caller has for the project, embedded too', async () => {
    for (const [writer, written] of names) {
      const { datastore } = await openDatastore();
      const to = value(of(written, target));
      const entity = {
        key: key('Kind', 'a'),
        properties: {
          to,
          list: { kind: 'array' as const, values: [{ ...to, excludeFromIndexes: true }] },
          within: { kind: 'entity' as const, value: { key: of(written, key('In', 'i')), properties: { to } } },
        },
      };
      await datastore.commit(writer, [{ op: 'insert', entity: encodeEntity(entity) }]);
      for (const [reader, name] of [
        [NAMED, 'my-project'],
        [APP, 'guestbook'],
      ] as const) {
        const answered = value(of(name, target));
        const properties = {
          to: answered,
          list: { kind: 'array', values: [{ ...answered, excludeFromIndexes: true }] },
          within: { kind: 'entity', value: { key: of(name, key('In', 'i')), properties: { to: answered } } },
        };
        const { found } = await datastore.lookup(reader, [encodeKey(key('Kind', 'a'))]);
        const { results } = await datastore.runQuery(reader, query('Kind'));
        for (const one of [...found, ...results]) expect(decodeEntity(one.entity).properties).toEqual(properties);
        const projected = await datastore.runQuery(reader, query('Kind', { projection: ['to'] }));
        expect(projected.results.map((one) => decodeEntity(one.entity).properties)).toEqual([{ to: { ...answered, meaning: 18 } }]);
      }
    }
  });

  it('of another project stays as it is', async () => {
    const { datastore } = await openDatastore();
    const far = of('far', target);
    await datastore.commit(NAMED, [write('insert', key('Kind', 'a'), { to: far })]);
    const { found } = await datastore.lookup(NAMED, [encodeKey(key('Kind', 'a'))]);
    expect(found.map(({ entity }) => decodeEntity(entity).properties)).toEqual([{ to: value(far) }]);
    expect(await run(datastore, NAMED, query('Kind', { filter: where('to', '=', far) }))).toEqual(['a']);
    expect(await run(datastore, NAMED, query('Kind', { filter: where('to', '=', of('my-project', target)) }))).toEqual([]);
  });
});

describe('a call about one database', () => {
  const SECOND: DatastoreScope = { ...APP, databaseId: 'second' };

  it('reads and writes keys without a database in that one', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(SECOND, [write('insert', key('Kind', 'a'), {})]);
    const { found } = await datastore.lookup(SECOND, [encodeKey(key('Kind', 'a'))]);
    expect(found.map(({ entity }) => decodeEntity(entity).key.databaseId)).toEqual(['second']);
    expect((await datastore.lookup(APP, [encodeKey(key('Kind', 'a'))])).found).toEqual([]);
    const { keys } = await datastore.allocateIds(SECOND, [encodeKey(key('Kind'))]);
    expect(keys.map((one) => decodeKey(one).databaseId)).toEqual(['second']);
  });

  it('queries that one, by keys without a database too', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(SECOND, [write('insert', key('Root', 'r', 'Kind', 'a'), {})]);
    expect(await run(datastore, SECOND, query('Kind'))).toEqual(['a']);
    for (const filter of [
      where('__key__', 'has-ancestor', key('Root', 'r')),
      where('__key__', 'in', [key('Root', 'r', 'Kind', 'a')]),
      where('__key__', '=', inDatabase('second', key('Root', 'r', 'Kind', 'a'))),
    ]) {
      expect(await run(datastore, SECOND, query('Kind', { filter }))).toEqual(['a']);
    }
    expect(await run(datastore, APP, query('Kind'))).toEqual([]);
  });

  it('refuses what names another', async () => {
    const { datastore } = await openDatastore();
    const mismatch = /mismatched databases within request: "second" vs. "third"/;
    const third = inDatabase('third', key('Kind', 'a'));
    await expect(datastore.lookup(SECOND, [encodeKey(third)])).rejects.toThrow(mismatch);
    await expect(datastore.commit(SECOND, [write('upsert', third, {})])).rejects.toThrow(mismatch);
    await expect(datastore.runQuery(SECOND, { ...query('Kind'), databaseId: 'third' })).rejects.toThrow(mismatch);
    await expect(datastore.runQuery(SECOND, query('Kind', { filter: where('__key__', '=', third) }))).rejects.toThrow(mismatch);
    await expect(datastore.lookup({ ...APP, databaseId: '' }, [encodeKey(third)])).rejects.toThrow(/"" vs. "third"/);
  });
});
