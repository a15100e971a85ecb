import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Filter, type PropertyOperator, type Query } from '../../sdk/contract/query.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { pathBytes } from '../codec/row-key.ts';
import { type Datastore } from '../datastore.ts';
import { and, APP, key, openDatastore, type Plain, query, remove, value, where, write } from '../fixture.ts';
import { RecordingStore } from '../recording-store.ts';

const inNamespace = (namespace: string, at: Key): Key => ({ ...at, namespace });
const pathText = ({ path }: Key): string => path.map(({ id, name }) => (id === undefined ? JSON.stringify(name) : String(id))).join('/');

/** All results through batches of `batch`, as texts of their paths. */
async function pages(datastore: Datastore, asked: Query, batch: number): Promise<readonly string[]> {
  const found: string[] = [];
  let next: Query = { ...asked, limit: batch };
  for (let round = 0; round < 1_000; round++) {
    const answer = await datastore.runQuery(APP, next);
    found.push(...answer.results.map(({ entity }) => pathText(decodeEntity(entity).key)));
    if (answer.more === 'no-more') return found;
    next = { ...next, offset: next.offset - answer.skipped, startCursor: answer.endCursor };
  }
  throw new Error('the query does not end');
}

async function filled(): Promise<{ datastore: Datastore; store: RecordingStore }> {
  const store = new RecordingStore();
  const { datastore } = await openDatastore({ store });
  const put = (at: Key, plain: Readonly<Record<string, Plain>>) => datastore.commit(APP, [write('upsert', at, plain)]);
  await put(key('Book', 'a'), { title: 'x', year: 1n, tags: ['a', 'b', 1.5, null], 'a.b': true });
  await put(key('Book', 'b'), { year: new Date(5), ref: key('Shelf', 1n) });
  await put(key('Shelf', 1n, 'Page', 2n), { n: 1n });
  await put(key('Z\0', 'z'), {});
  await put(inNamespace('n1', key('Other', 'o')), { x: 1n });
  await put(inNamespace('n2', key('Other', 'o')), {});
  await datastore.commit({ appId: 'guestbook2' }, [write('upsert', key('Foreign', 'x'), { y: 1n })]);
  return { datastore, store };
}

describe('metadata kinds', () => {
  it('list namespaces, kinds and indexed properties', async () => {
    const { datastore } = await filled();
    const all = (kind: string, rest: Partial<Query> = {}): Promise<readonly string[]> => pages(datastore, query(kind, rest), 2);
    expect(await all('__namespace__')).toEqual(['1', '"n1"', '"n2"']);
    expect(await all('__kind__')).toEqual(['"Book"', '"Page"', '"Z\\u0000"']);
    expect(await all('__kind__', { namespace: 'n1' })).toEqual(['"Other"']);
    expect(await all('__kind__', { namespace: 'n9' })).toEqual([]);
    const properties = ['"Book"/"a.b"', '"Book"/"ref"', '"Book"/"tags"', '"Book"/"title"', '"Book"/"year"', '"Page"/"n"'];
    expect(await all('__property__')).toEqual(properties);
    expect(await all('__property__', { filter: where('__key__', 'has-ancestor', key('__kind__', 'Book')) })).toEqual(
      properties.slice(0, 5),
    );
    await datastore.commit(APP, [remove(key('Z\0', 'z'))]);
    expect(await all('__kind__')).toEqual(['"Book"', '"Page"']);
    await datastore.close();
  });

  it('say the types of a property, unless only keys are asked for', async () => {
    const { datastore } = await filled();
    const { results, resultKind } = await datastore.runQuery(APP, query('__property__'));
    expect(resultKind).toBe('full');
    const types = results.map(({ entity }) => {
      const { property_representation: types } = decodeEntity(entity).properties;
      return types?.kind === 'array' ? types.values.map((one) => (one.kind === 'string' ? one.value : one.kind)) : [];
    });
    expect(types).toEqual([['BOOLEAN'], ['REFERENCE'], ['NULL', 'STRING', 'DOUBLE'], ['STRING'], ['INT64'], ['INT64']]);
    const keys = await datastore.runQuery(APP, query('__property__', { projection: ['__key__'] }));
    expect(keys.resultKind).toBe('key-only');
    expect(keys.results.map(({ entity }) => Object.keys(decodeEntity(entity).properties))).toEqual(Array.from({ length: 6 }, () => []));
    await datastore.close();
  });

  it('answer key ranges, offsets, counts and GQL as other kinds do', async () => {
    const { datastore } = await filled();
    const range = and(where('__key__', '>=', key('__kind__', 'C')), where('__key__', '<', key('__kind__', 'Q')));
    expect(await pages(datastore, query('__kind__', { filter: range }), 5)).toEqual(['"Page"']);
    expect(await pages(datastore, query('__property__', { filter: range }), 5)).toEqual(['"Page"/"n"']);
    expect(await pages(datastore, query('__property__', { offset: 4 }), 1)).toEqual(['"Book"/"year"', '"Page"/"n"']);
    const count = (text: string) => datastore.runGql(APP, { text, databaseId: '', namespace: '' });
    expect(await count('SELECT COUNT(*) AS n FROM __property__ WHERE __key__ HAS ANCESTOR KEY(__kind__, "Book")')).toMatchObject({
      answer: { values: [{ alias: 'n', value: value(5n) }] },
    });
    expect(await count('SELECT __key__ FROM __namespace__ WHERE __key__ > KEY(__namespace__, 1) LIMIT 1')).toMatchObject({
      answer: { results: [{}], more: 'after-limit' },
    });
    await datastore.close();
  });

  it.each<[string, Partial<Query>]>([
    ['a filter on a property', { filter: where('a', '=', 1n) }],
    ['a range on a property of one key', { filter: and(where('a', '>', 1n), where('__key__', '=', key('__kind__', 'x'))) }],
    ['an order by a property', { orders: [{ property: 'a', direction: 'asc' }] }],
    ['the reverse order', { orders: [{ property: '__key__', direction: 'desc' }] }],
    ['a projection', { projection: ['property_representation'] }],
    ['groups', { projection: ['a'], distinctOn: ['a'] }],
  ])('refuse %s', async (_, rest) => {
    const { datastore } = await openDatastore();
    for (const kind of ['__namespace__', '__kind__', '__property__']) {
      await expect(datastore.runQuery(APP, query(kind, rest))).rejects.toMatchObject({ code: 'DS_INVALID' });
    }
    await datastore.close();
  });

  it('read a few rows for each result, however much is stored', async () => {
    const store = new RecordingStore();
    const { datastore } = await openDatastore({ store });
    for (const kind of ['K', 'L', 'M', 'N', 'O']) {
      await datastore.commit(
        APP,
        Array.from({ length: 200 }, (_, at) => write('insert', key(kind), { n: BigInt(at), t: [`${at}`, at / 2, null] })),
      );
    }
    const read = async (kind: string, rest: Partial<Query>): Promise<readonly number[]> => {
      store.forget();
      const { results, plan } = await datastore.runQuery(APP, query(kind, rest), { explain: true });
      expect(store.got).toEqual([]);
      expect(plan?.indexRowsRead).toBe(store.scanned.length);
      return [results.length, store.scanned.length];
    };
    const range = and(where('__key__', '>=', key('__kind__', 'L')), where('__key__', '<', key('__kind__', 'N')));
    expect(await read('__kind__', {})).toEqual([5, 5]);
    expect(await read('__kind__', { filter: range })).toEqual([2, 3]);
    expect(await read('__kind__', { limit: 2 })).toEqual([2, 2]);
    expect(await read('__property__', { filter: range, projection: ['__key__'] })).toEqual([4, 5]);
    // One for n, three for t, and one to see the end.
    expect(await read('__property__', { filter: where('__key__', 'has-ancestor', key('__kind__', 'L')) })).toEqual([2, 7]);
    expect(await read('__namespace__', {})).toEqual([1, 1]);
    await datastore.close();
  });

  it('return the keys that lie in a range, in batches of any size', async () => {
    const name = fc.constantFrom('A', 'B', 'A\0', 'AB', 'é', 'n1');
    const stored = fc.record({
      namespace: fc.constantFrom('', 'n1', 'A', 'B'),
      kind: name,
      plain: fc.dictionary(name, fc.constant(1n), { maxKeys: 3 }),
    });
    const operators = fc.constantFrom<PropertyOperator>('<', '<=', '>', '>=', '=', '!=');
    const bound = fc.oneof(
      name.map((one) => key('__namespace__', one)),
      fc.constant(key('__namespace__', 1n)),
      name.map((one) => key('__kind__', one)),
      fc.constant(key('__kind__', 7n)),
      fc.tuple(name, name).map(([kind, one]) => key('__kind__', kind, '__property__', one)),
      name.map((one) => key('__zzz__', one)),
      name.map((one) => key('Plain', one)),
    );
    const condition = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(operators, bound) },
      { weight: 1, arbitrary: bound.map((at): [PropertyOperator, Key] => ['has-ancestor', at]) },
    );
    const filters = fc.array(condition, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(stored, { maxLength: 8 }),
        filters,
        fc.boolean(),
        fc.integer({ min: 1, max: 3 }),
        async (entities, conditions, isOr, batch) => {
          const { datastore } = await openDatastore();
          for (const { namespace, kind, plain } of entities) {
            await datastore.commit(APP, [write('insert', inNamespace(namespace, key(kind)), plain)]);
          }
          const here = entities.filter(({ namespace }) => namespace === '');
          const paths: Readonly<Record<string, readonly Key[]>> = {
            __namespace__: entities.map(({ namespace }) => (namespace === '' ? key('__namespace__', 1n) : key('__namespace__', namespace))),
            __kind__: here.map(({ kind }) => key('__kind__', kind)),
            __property__: here.flatMap(({ kind, plain }) => Object.keys(plain).map((one) => key('__kind__', kind, '__property__', one))),
          };
          const holds = (at: Key): boolean => {
            const each = ([operator, operand]: readonly [PropertyOperator, Key]): boolean => {
              const [found, other] = [pathBytes(at.path), pathBytes(operand.path)];
              if (operator === 'has-ancestor') return found.subarray(0, other.length - 1).equals(other.subarray(0, -1));
              const order = Buffer.compare(found, other);
              return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0, '=': order === 0, '!=': order !== 0 }[
                operator as '<'
              ];
            };
            return conditions.length === 0 || (isOr ? conditions.some(each) : conditions.every(each));
          };
          for (const [kind, keys] of Object.entries(paths)) {
            const sorted = keys.filter(holds).sort((left, right) => Buffer.compare(pathBytes(left.path), pathBytes(right.path)));
            const wanted = [...new Set(sorted.map(pathText))];
            const all = conditions.map(([operator, operand]) => where('__key__', operator, operand));
            const filter: Filter | undefined = all.length === 0 ? undefined : { kind: isOr ? 'or' : 'and', filters: all };
            const asked = query(kind, filter ? { filter } : {});
            expect(await pages(datastore, asked, batch)).toEqual(wanted);
            expect(await pages(datastore, { ...asked, offset: 1 }, batch)).toEqual(wanted.slice(1));
          }
          await datastore.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});
