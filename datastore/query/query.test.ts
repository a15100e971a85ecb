import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { type AggregationQuery, type Order, type Query } from '../../sdk/contract/query.ts';
import { type Datastore } from '../datastore.ts';
import { type QueryAnswer } from '../read-answer.ts';
import { and, APP, definitionsIn, key, namesOf, openDatastore, type Plain, query, value, where, withIndexes, write } from '../fixture.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });
const asc = (property: string): Order => ({ property, direction: 'asc' });
const desc = (property: string): Order => ({ property, direction: 'desc' });

describe('queries on a datastore', () => {
  let datastore: Datastore;

  beforeEach(async () => {
    ({ datastore } = await openDatastore());
  });

  afterEach(() => datastore.close());

  const put = async (kind: string, entities: Readonly<Record<string, Readonly<Record<string, Plain>>>>): Promise<void> => {
    await datastore.commit(
      APP,
      Object.entries(entities).map(([name, plain]) => write('upsert', key(kind, name), plain)),
    );
  };
  const run = (one: Query): Promise<QueryAnswer> => withIndexes(datastore, () => datastore.runQuery(APP, one));
  /** Names of all results, one at a time through cursors. */
  const oneByOne = async (one: Query): Promise<readonly string[]> => {
    const names: string[] = [];
    let next: Query = { ...one, limit: 1 };
    for (let round = 0; round < 100; round++) {
      const answer = await run(next);
      names.push(...namesOf(answer));
      if (answer.more === 'no-more') return names;
      next = { ...next, startCursor: answer.endCursor };
    }
    throw new Error('the query does not end');
  };
  const rowsOf = (answer: QueryAnswer): readonly unknown[] =>
    answer.results.map(({ entity }) =>
      Object.fromEntries(
        Object.entries(decodeEntity(entity).properties).map(([name, one]) => [name, 'value' in one ? one.value : one.kind]),
      ),
    );

  describe('order', () => {
    it('breaks ties of a descending order by ascending keys, in runs short and long', async () => {
      const many = Object.fromEntries(
        Array.from({ length: 300 }, (_, at) => [`n${1000 + at}`, { rank: at < 150 ? 1n : at < 299 ? 2n : 3n }]),
      );
      await put('K', many);
      const names = await run(query('K', { orders: [desc('rank')] }));
      const wanted = [...Object.keys(many).slice(299), ...Object.keys(many).slice(150, 299), ...Object.keys(many).slice(0, 150)];
      expect(namesOf(names)).toEqual(wanted);
      const middle = await run(query('K', { orders: [desc('rank')], limit: 3, offset: 149, projection: ['__key__'] }));
      expect(namesOf(middle)).toEqual(wanted.slice(149, 152));
      const next = await run(query('K', { orders: [desc('rank')], limit: 4, projection: ['__key__'], startCursor: middle.endCursor }));
      expect(namesOf(next)).toEqual(wanted.slice(152, 156));
    });

    it('reads little more than it returns from a long run', async () => {
      await put('K', Object.fromEntries(Array.from({ length: 490 }, (_, at) => [`n${1000 + at}`, { rank: 1n }])));
      const answer = await datastore.runQuery(APP, query('K', { orders: [desc('rank')], limit: 5 }), { explain: true });
      expect(answer.plan?.scans).toEqual(['property K.rank, runs']);
      expect(answer.plan?.indexRowsRead).toBeLessThan(100);
    });

    it('turns keys around when asked to', async () => {
      await put('K', { a: { n: 1n }, b: { n: 1n }, c: { n: 2n } });
      expect(await oneByOne(query('K', { orders: [desc('__key__')] }))).toEqual(['c', 'b', 'a']);
      expect(await oneByOne(query('K', { orders: [desc('n'), desc('__key__')] }))).toEqual(['c', 'b', 'a']);
      expect(await oneByOne(query('K', { orders: [asc('n'), desc('__key__')] }))).toEqual(['b', 'a', 'c']);
      expect(await oneByOne(query('K', { filter: where('n', '=', 1n), orders: [desc('__key__')] }))).toEqual(['b', 'a']);
    });

    it('orders IN by an order on the same property, and then by another', async () => {
      await put('K', { a: { t: 2n, n: 5n }, b: { t: 1n, n: 9n }, c: { t: 2n, n: 1n }, d: { t: 3n, n: 0n }, e: { t: 1n, n: 2n } });
      const filter = where('t', 'in', [1n, 2n]);
      expect(await oneByOne(query('K', { filter, orders: [desc('t'), asc('n')] }))).toEqual(['c', 'a', 'e', 'b']);
      expect(await oneByOne(query('K', { filter, orders: [asc('t'), desc('n')] }))).toEqual(['b', 'e', 'a', 'c']);
      expect(await oneByOne(query('K', { filter, orders: [asc('n'), asc('t')] }))).toEqual(['c', 'e', 'a', 'b']);
    });

    it('returns an entity once although branches of a join find it at several places', async () => {
      await put('K', { a: { t: [1n, 2n], u: 'x' }, b: { t: 1n, u: 'x' }, c: { t: 2n, u: 'x' }, d: { t: 1n, u: 'y' } });
      const filter = and(where('t', 'in', [1n, 2n]), where('u', '=', 'x'));
      expect(await oneByOne(query('K', { filter, orders: [asc('t')] }))).toEqual(['a', 'b', 'c']);
      expect(await oneByOne(query('K', { filter, orders: [desc('t')] }))).toEqual(['a', 'c', 'b']);
    });
  });

  describe('filters', () => {
    it('join equalities without a composite index, and read little when they rarely meet', async () => {
      const names = Array.from({ length: 400 }, (_, at) => `n${1000 + at}`);
      await put('K', Object.fromEntries(names.map((name, at) => [name, { even: at % 2 === 0, big: at >= 390 }])));
      const answer = await datastore.runQuery(APP, query('K', { filter: and(where('even', '=', true), where('big', '=', true)) }), {
        explain: true,
      });
      expect(namesOf(answer)).toEqual(['n1390', 'n1392', 'n1394', 'n1396', 'n1398']);
      expect(answer.plan?.scans).toEqual([
        'merge join: property K.even, forward: even = true',
        'merge join: property K.big, forward: big = true',
      ]);
      expect(answer.plan?.indexRowsRead).toBeLessThan(100);
    });

    it('join two composite indexes of the same order', async () => {
      await put('K', { a: { t: 1n, u: 1n, n: 3n }, b: { t: 1n, u: 1n, n: 1n }, c: { t: 1n, u: 2n, n: 2n } });
      await datastore.ensureIndexes(
        APP,
        definitionsIn('- kind: K\n  properties:\n  - name: t\n  - name: n\n- kind: K\n  properties:\n  - name: u\n  - name: n'),
      );
      await datastore.indexesBuilt();
      const answer = await datastore.runQuery(
        APP,
        query('K', { filter: and(where('t', '=', 1n), where('u', '=', 1n)), orders: [asc('n')] }),
      );
      expect(namesOf(answer)).toEqual(['b', 'a']);
    });

    it('bound several properties on one composite index', async () => {
      await put('K', { a: { x: 1n, y: 9n }, b: { x: 2n, y: 1n }, c: { x: 3n, y: 5n }, d: { x: 4n } });
      expect(await oneByOne(query('K', { filter: and(where('x', '>', 1n), where('y', '<', 9n)) }))).toEqual(['b', 'c']);
    });

    it('take an equality and a range from different elements of an array', async () => {
      await put('K', {
        a: { t: [1n, 7n], n: 1n },
        b: { t: 1n, n: 2n },
        c: { t: [1n, 3n], n: 3n },
        d: { t: 7n, n: 4n },
        e: { t: [1n, 2n, 9n], n: 5n },
      });
      const both = and(where('t', '=', 1n), where('t', '>', 5n));
      expect(await oneByOne(query('K', { filter: both }))).toEqual(['a', 'e']);
      expect(await oneByOne(query('K', { filter: both, orders: [desc('n')] }))).toEqual(['e', 'a']);
      expect(await oneByOne(query('K', { filter: and(both, where('t', '<', 8n)) }))).toEqual(['a']);
      expect([...namesOf(await run(query('K', { filter: both, projection: ['n'] })))].sort()).toEqual(['a', 'e']);
      const { values } = await datastore.runAggregation(APP, {
        nested: query('K', { filter: both }),
        aggregations: [{ kind: 'count', alias: 'c' }],
      });
      expect(values).toEqual([{ alias: 'c', value: value(2n) }]);
    });

    it('bound keys, alone, with equalities and with an order', async () => {
      await put('K', Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name, at) => [name, { t: 1n, n: BigInt(9 - at) }])));
      const bounds = and(where('__key__', '>', key('K', 'a')), where('__key__', '<=', key('K', 'd')));
      expect(await oneByOne(query('K', { filter: bounds }))).toEqual(['b', 'c', 'd']);
      expect(await oneByOne(query('K', { filter: and(bounds, where('t', '=', 1n)) }))).toEqual(['b', 'c', 'd']);
      expect(await oneByOne(query('K', { filter: bounds, orders: [asc('n')] }))).toEqual(['d', 'c', 'b']);
      expect(await oneByOne(query('K', { filter: where('__key__', 'in', [key('K', 'e'), key('K', 'b'), key('K', 'zz')]) }))).toEqual([
        'b',
        'e',
      ]);
      expect(await oneByOne(query('K', { filter: where('__key__', '!=', key('K', 'c')) }))).toEqual(['a', 'b', 'd', 'e']);
    });

    it('read whole kinds from the entities themselves, and from the kind index where others lie between', async () => {
      const flat = Array.from({ length: 40 }, (_, at) => write('upsert', key('Flat', BigInt(at + 1)), {}));
      const books = Array.from({ length: 40 }, (_, at) => write('upsert', key('Book', BigInt(at + 1)), {}));
      const pages = Array.from({ length: 400 }, (_, at) => write('upsert', key('Book', BigInt((at % 40) + 1), 'Page', BigInt(at + 1)), {}));
      await datastore.commit(APP, [...flat, ...books]);
      await datastore.commit(APP, pages);
      const explained = async (kind: string): Promise<readonly unknown[]> => {
        const { results, plan } = await datastore.runQuery(APP, query(kind), { explain: true });
        return [results.length, plan?.indexRowsRead, plan?.entitiesRead];
      };
      expect(await explained('Flat')).toEqual([40, 1, 40]);
      // Once to find out, at the price of a chunk; then never again.
      expect((await explained('Book'))[0]).toBe(40);
      expect(await explained('Book')).toEqual([40, 40, 40]);
      expect(namesOf(await datastore.runQuery(APP, query('Book')))).toEqual(Array.from({ length: 40 }, (_, at) => String(at + 1)));
      expect((await explained('Page'))[0]).toBe(300);
    });

    it('find descendants of an ancestor, itself included, of one kind or of all', async () => {
      const keys = [key('P', 'p'), key('P', 'p', 'K', 'a'), key('P', 'p', 'Q', 'q', 'K', 'b'), key('P', 'q', 'K', 'c'), key('K', 'd')];
      await datastore.commit(
        APP,
        keys.map((one) => write('upsert', one, { n: 1n })),
      );
      const ancestor = where('__key__', 'has-ancestor', key('P', 'p'));
      expect(await oneByOne(query('K', { filter: ancestor }))).toEqual(['a', 'b']);
      expect(await oneByOne(query('K', { filter: and(ancestor, where('n', '=', 1n)) }))).toEqual(['a', 'b']);
      expect(await oneByOne(query(undefined, { filter: ancestor }))).toEqual(['p', 'a', 'b']);
      expect(await oneByOne(query(undefined))).toEqual(['d', 'p', 'a', 'b', 'c']);
    });

    it('take integers and timestamps as one space, and doubles as another', async () => {
      await put('K', { integer: { n: 5n }, double: { n: 5 }, time: { n: new Date(0) }, text: { n: '5' } });
      expect(await oneByOne(query('K', { filter: where('n', '=', 5n) }))).toEqual(['integer']);
      expect(await oneByOne(query('K', { filter: where('n', '=', 0n) }))).toEqual(['time']);
      expect(await oneByOne(query('K', { filter: where('n', '>', 5n) }))).toEqual(['text', 'double']);
    });

    it('reach into embedded entities and skip what is excluded', async () => {
      const inner = (city: string, excludeFromIndexes: boolean): Value => ({
        kind: 'entity',
        value: { properties: { city: value(city) } },
        excludeFromIndexes,
      });
      const { encodeEntity } = await import('../../sdk/contract/entity-proto.ts');
      await datastore.commit(APP, [
        { op: 'upsert', entity: encodeEntity({ key: key('K', 'a'), properties: { address: inner('Bonn', false) } }) },
        { op: 'upsert', entity: encodeEntity({ key: key('K', 'b'), properties: { address: inner('Bonn', true) } }) },
      ]);
      expect(await oneByOne(query('K', { filter: where('address.city', '=', 'Bonn') }))).toEqual(['a']);
    });

    it('never match when they contradict each other', async () => {
      await put('K', { a: { n: 1n } });
      const answer = await datastore.runQuery(APP, query('K', { filter: and(where('n', '>', 5n), where('n', '<', 3n)) }), {
        explain: true,
      });
      expect(answer).toMatchObject({
        results: [],
        more: 'no-more',
        plan: { scans: ['nothing: the filter contradicts itself'], indexRowsRead: 0 },
      });
    });
  });

  describe('projection', () => {
    beforeEach(() => put('K', { a: { t: ['x', 'y'], n: 1n }, b: { t: 'x', n: 2n }, c: { n: 3n }, d: { t: 'z', n: new Date(1) } }));

    it('returns one row per combination of values, as the index has them', async () => {
      const answer = await run(query('K', { projection: ['t', 'n'] }));
      expect(answer.resultKind).toBe('projection');
      expect(rowsOf(answer)).toEqual(
        [
          { t: 'x', n: 1n },
          { t: 'x', n: 2n },
          { t: 'y', n: 1n },
          { t: 'z', n: 1000n },
        ].sort((left, right) => Number(left.n - right.n) || (left.t < right.t ? -1 : 1)),
      );
      expect(answer.results.map(({ entity }) => decodeEntity(entity).properties.n?.meaning)).toEqual([18, 18, 18, 18]);
    });

    it('takes any order of columns that an index offers', async () => {
      await datastore.ensureIndexes(APP, definitionsIn('- kind: K\n  properties:\n  - name: t\n    direction: desc\n  - name: n'));
      await datastore.indexesBuilt();
      expect(rowsOf(await datastore.runQuery(APP, query('K', { projection: ['n', 't'] })))).toEqual([
        { t: 'z', n: 1000n },
        { t: 'y', n: 1n },
        { t: 'x', n: 1n },
        { t: 'x', n: 2n },
      ]);
    });

    it('returns each group once, over batches too', async () => {
      const grouped = query('K', { projection: ['t'], distinctOn: ['t'] });
      expect(rowsOf(await run(grouped))).toEqual([{ t: 'x' }, { t: 'y' }, { t: 'z' }]);
      expect(await oneByOne(grouped)).toEqual(['a', 'a', 'd']);
      const latest = query('K', { projection: ['t', 'n'], distinctOn: ['t'], orders: [asc('t'), desc('n')] });
      expect(rowsOf(await run(latest))).toEqual([
        { t: 'x', n: 2n },
        { t: 'y', n: 1n },
        { t: 'z', n: 1000n },
      ]);
    });

    it('returns the first entity of each group whole when nothing is projected, by keys alone too', async () => {
      expect(namesOf(await run(query('K', { distinctOn: ['t'] })))).toEqual(['a', 'a', 'd']);
      const latest = query('K', { distinctOn: ['t'], orders: [asc('t'), desc('n')] });
      const { resultKind, results } = await run(latest);
      expect(resultKind).toBe('full');
      expect(results.map(({ entity }) => Object.keys(decodeEntity(entity).properties).sort())).toEqual(results.map(() => ['n', 't']));
      expect(await oneByOne(latest)).toEqual(namesOf(await run(latest)));
      expect(await oneByOne(query('K', { projection: ['__key__'], distinctOn: ['t'] }))).toEqual(['a', 'a', 'd']);
    });

    it.each<[string, Partial<Query>]>([
      ['a property with an equality', { projection: ['t'], filter: where('t', '=', 'x') }],
      ['a property twice', { projection: ['t', 't'] }],
      ['groups behind another order', { projection: ['t'], distinctOn: ['t'], orders: [asc('n')] }],
      ['a group that is not projected', { projection: ['n'], distinctOn: ['t'] }],
    ])('refuses %s', async (_, rest) => {
      await expect(datastore.runQuery(APP, query('K', rest))).rejects.toEqual(code('DS_INVALID'));
    });
  });

  describe('batches and cursors', () => {
    beforeEach(() => put('K', Object.fromEntries(Array.from({ length: 450 }, (_, at) => [`n${1000 + at}`, { n: BigInt(at) }]))));

    it('end at 300 results and go on from the cursor', async () => {
      const first = await datastore.runQuery(APP, query('K'));
      expect([first.results.length, first.more]).toEqual([300, 'not-finished']);
      const second = await datastore.runQuery(APP, query('K', { startCursor: first.endCursor }));
      expect([second.results.length, second.more]).toEqual([150, 'no-more']);
      expect(namesOf(second)[0]).toBe('n1300');
    });

    it('end before 4 MiB of results', async () => {
      const large = { data: { kind: 'string' as const, value: 'x'.repeat(1_000_000), excludeFromIndexes: true } };
      const { encodeEntity } = await import('../../sdk/contract/entity-proto.ts');
      await datastore.commit(
        APP,
        Array.from({ length: 9 }, (_, at) => ({
          op: 'upsert' as const,
          entity: encodeEntity({ key: key('Big', `n${at}`), properties: large }),
        })),
      );
      expect(await oneByOne(query('Big'))).toHaveLength(9);
      const answer = await datastore.runQuery(APP, query('Big'));
      expect([answer.results.length, answer.more]).toEqual([4, 'not-finished']);
    });

    it('count what they skip, and never return results before that', async () => {
      const answer = await datastore.runQuery(APP, query('K', { offset: 449, limit: 5 }));
      expect([answer.skipped, namesOf(answer), answer.more]).toEqual([449, ['n1449'], 'no-more']);
      const beyond = await datastore.runQuery(APP, query('K', { offset: 1_000 }));
      expect([beyond.skipped, beyond.results, beyond.more]).toEqual([450, [], 'no-more']);
      const alone = await datastore.runQuery(APP, query('K', { offset: 7, limit: 0 }));
      expect([alone.skipped, alone.results, alone.more]).toEqual([7, [], 'after-limit']);
    });

    it('say where the skipped ones end', async () => {
      for (const orders of [[], [desc('n')]]) {
        const skipping = query('K', { offset: 3, limit: 2, orders });
        const { skippedCursor, results, endCursor } = await datastore.runQuery(APP, skipping);
        const behind = await datastore.runQuery(APP, query('K', { limit: 2, orders, startCursor: skippedCursor ?? Buffer.alloc(0) }));
        expect(namesOf(behind)).toEqual(namesOf({ results }));
        expect(behind.endCursor).toEqual(endCursor);
        expect(behind).not.toHaveProperty('skippedCursor');
      }
      const all = await datastore.runQuery(APP, query('K', { offset: 500 }));
      const rest = await datastore.runQuery(APP, query('K', { startCursor: all.skippedCursor ?? Buffer.alloc(0) }));
      expect(rest.results).toEqual([]);
    });

    it('stop at an end cursor, and take the cursor of a single result', async () => {
      const { results } = await datastore.runQuery(APP, query('K', { limit: 10 }));
      const answer = await datastore.runQuery(APP, query('K', { startCursor: results[2]!.cursor, endCursor: results[5]!.cursor }));
      expect([namesOf(answer), answer.more]).toEqual([['n1003', 'n1004', 'n1005'], 'after-cursor']);
    });

    it('answer a limit of zero', async () => {
      expect(await datastore.runQuery(APP, query('K', { limit: 0 }))).toMatchObject({ results: [], more: 'after-limit' });
    });

    it('pause a sparse join and go on with it', async () => {
      for (let at = 0; at < 26_000; at += 500) {
        await datastore.commit(
          APP,
          Array.from({ length: 500 }, (_, one) =>
            write('upsert', key('S', BigInt(at + one + 1)), { even: (at + one) % 2 === 0, odd: (at + one) % 2 === 1 }),
          ),
        );
      }
      await put('S', { z: { even: true, odd: true } });
      const sparse = query('S', { filter: and(where('even', '=', true), where('odd', '=', true)) });
      const first = await datastore.runQuery(APP, sparse);
      expect([first.results, first.more]).toEqual([[], 'not-finished']);
      const second = await datastore.runQuery(APP, { ...sparse, startCursor: first.endCursor });
      expect([namesOf(second), second.more]).toEqual([['z'], 'no-more']);
    }, 60_000);

    it('refuse cursors of another app or query, and what is no cursor', async () => {
      const { endCursor } = await datastore.runQuery(APP, query('K', { limit: 1 }));
      const used = (scope: { readonly appId: string }, one: Query): Promise<unknown> => datastore.runQuery(scope, one);
      await expect(used({ appId: 'other' }, query('K', { startCursor: endCursor }))).rejects.toEqual(code('DS_FORBIDDEN'));
      await expect(used(APP, query('K', { startCursor: endCursor, orders: [asc('n')] }))).rejects.toEqual(code('DS_INVALID'));
      await expect(used(APP, query('K', { startCursor: Buffer.from('nonsense') }))).rejects.toEqual(code('DS_INVALID'));
    });

    it('survive forged positions', async () => {
      const shapes = [
        query('K'),
        query('K', { orders: [desc('n')] }),
        query('K', { orders: [desc('__key__')] }),
        query('K', { filter: where('n', 'in', [1n, 2n]), orders: [asc('n')] }),
        query('K', { projection: ['n'], distinctOn: ['n'] }),
      ];
      for (const shape of shapes) {
        const { endCursor } = await datastore.runQuery(APP, { ...shape, limit: 1 });
        for (const forged of ['', '00', 'ff', 'ffffffff', '10', 'ef', '0010', '50', 'af0000']) {
          const startCursor = Buffer.concat([endCursor.subarray(0, 13), Buffer.from(forged, 'hex')]);
          await datastore.runQuery(APP, { ...shape, startCursor, limit: 2 }).catch((error: unknown) => {
            expect(error).toEqual(code('DS_INVALID'));
          });
        }
      }
    });
  });

  describe('aggregations', () => {
    const aggregate = (nested: Query, aggregations: AggregationQuery['aggregations']): Promise<unknown> =>
      withIndexes(datastore, () => datastore.runAggregation(APP, { nested, aggregations })).then(({ values }) =>
        Object.fromEntries(values.map(({ alias, value: one }) => [alias, one])),
      );

    beforeEach(() =>
      put('K', { a: { t: 'x', n: 1n }, b: { t: 'x', n: 4n }, c: { t: 'y', n: 0.5 }, d: { t: 'y', n: 'text' }, e: { t: ['x', 'y'] } }),
    );

    it('count entities, and index entries under an inequality', async () => {
      const total = [{ kind: 'count' as const, alias: 'total' }];
      expect(await aggregate(query('K'), total)).toEqual({ total: value(5n) });
      expect(await aggregate(query('K', { filter: where('t', '=', 'x') }), total)).toEqual({ total: value(3n) });
      expect(await aggregate(query('K', { filter: where('t', '>=', 'x') }), total)).toEqual({ total: value(6n) });
      expect(await aggregate(query('K', { limit: 3, offset: 1 }), total)).toEqual({ total: value(3n) });
      expect(await aggregate(query('K'), [{ kind: 'count', upTo: 2n, alias: 'some' }])).toEqual({ some: value(2n) });
      expect(await aggregate(query('None'), total)).toEqual({ total: value(0n) });
    });

    it('sum and average numbers, and leave out what is none', async () => {
      const both = [
        { kind: 'sum' as const, property: 'n', alias: 's' },
        { kind: 'avg' as const, property: 'n', alias: 'a' },
        { kind: 'count' as const, alias: 'c' },
      ];
      expect(await aggregate(query('K'), both)).toEqual({ s: value(5.5), a: value(5.5 / 3), c: value(4n) });
      expect(await aggregate(query('K', { filter: where('t', '=', 'x') }), both)).toEqual({ s: value(5n), a: value(2.5), c: value(2n) });
      expect(await aggregate(query('None'), both)).toEqual({ s: value(0n), a: value(null), c: value(0n) });
      expect(await aggregate(query('K', { filter: where('n', '=', 4n) }), both)).toEqual({ s: value(4n), a: value(4), c: value(1n) });
    });

    it('turn a sum beyond 64 bits into a double', async () => {
      await put('Big', { a: { n: 2n ** 62n }, b: { n: 2n ** 62n } });
      expect(await aggregate(query('Big'), [{ kind: 'sum', property: 'n', alias: 's' }])).toEqual({ s: value(2 ** 63) });
    });

    it('refuse more than five, the key, and one alias for two', async () => {
      const many = Array.from({ length: 6 }, (_, at) => ({ kind: 'count' as const, alias: `c${at}` }));
      await expect(aggregate(query('K'), many)).rejects.toEqual(code('DS_LIMIT'));
      await expect(aggregate(query('K'), [{ kind: 'sum', property: '__key__', alias: 's' }])).rejects.toEqual(code('DS_INVALID'));
      await expect(aggregate(query('K'), [...many.slice(0, 1), ...many.slice(0, 1)])).rejects.toEqual(code('DS_INVALID'));
    });
  });

  it.each<[string, Query, string]>([
    ['an order on a kindless query', query(undefined, { orders: [asc('n')] }), 'DS_INVALID'],
    ['a filter on a kindless query', query(undefined, { filter: where('n', '=', 1n) }), 'DS_INVALID'],
    ['a reserved property', query('K', { filter: where('__x__', '=', 1n) }), 'DS_INVALID'],
    ['a key filter that is no key', query('K', { filter: where('__key__', '=', 1n) }), 'DS_INVALID'],
    ['an array as operand', query('K', { filter: where('n', '=', [1n]) }), 'DS_INVALID'],
    ['an IN of nothing', query('K', { filter: where('n', 'in', []) }), 'DS_INVALID'],
    [
      'an IN of 31 values',
      query('K', {
        filter: where(
          'n',
          'in',
          Array.from({ length: 31 }, (_, at) => BigInt(at)),
        ),
      }),
      'DS_LIMIT',
    ],
    [
      'more than 30 branches',
      query('K', { filter: and(...['a', 'b'].map((name) => where(name, 'in', [1n, 2n, 3n, 4n, 5n, 6n]))) }),
      'DS_LIMIT',
    ],
    [
      'a NOT IN of 11 values',
      query('K', {
        filter: where(
          'n',
          'not-in',
          Array.from({ length: 11 }, (_, at) => BigInt(at)),
        ),
      }),
      'DS_LIMIT',
    ],
    [
      'ranges on 11 properties',
      query('K', { filter: and(...Array.from({ length: 11 }, (_, at) => where(`p${at}`, '>', 1n))) }),
      'DS_LIMIT',
    ],
    ['more than 100 filters', query('K', { filter: and(...Array.from({ length: 101 }, () => where('n', '=', 1n))) }), 'DS_LIMIT'],
  ])('refuses %s', async (_, one, wanted) => {
    await expect(datastore.runQuery(APP, one)).rejects.toEqual(code(wanted));
  });

  it.each<[string, Query]>([
    ['Limit must be non-negative.', query('K', { limit: -1 })],
    ['Offset must be non-negative.', query('K', { offset: -1 })],
    ['cannot project a property multiple times', query('K', { projection: ['a', 'a'] })],
    ['cannot use projection on a property with an equality filter', query('K', { projection: ['a'], filter: where('a', '=', 1n) })],
    [
      'cannot use projection on a property with an equality filter',
      query('K', {
        projection: ['a'],
        filter: {
          kind: 'or',
          filters: [and(where('a', '=', 1n), where('a', '=', 2n)), and(where('a', '=', 2n), where('a', '=', 1n), where('b', '=', 1n))],
        },
      }),
    ],
    ['cannot group by a property multiple times', query('K', { projection: ['a'], distinctOn: ['a', 'a'] })],
    ['must specify all group by orderings before any', query('K', { projection: ['a'], distinctOn: ['a'], orders: [asc('b')] })],
    ['cannot use group by on a property with an equality', query('K', { distinctOn: ['a'], filter: where('a', '=', 1n) })],
    ['Inequality filter on b must also be a group by', query('K', { projection: ['a'], distinctOn: ['a'], filter: where('b', '>', 1n) })],
    ['kind is required for non-__key__ filters', query(undefined, { filter: where('a', '=', 1n) })],
    ['kind is required for all orders except __key__ ascending', query(undefined, { orders: [desc('__key__')] })],
    ['kind is required for non-__key__ projections', query(undefined, { projection: ['a'] })],
    ['__key__ filter value must be a key', query('K', { filter: where('__key__', '>', 'x') })],
    ['property must be __key__', query('K', { filter: where('a', 'has-ancestor', key('P', 1n)) })],
    ['A list value is not allowed', query('K', { filter: where('a', '=', [1n]) })],
    [
      'query is too large. may not have more than 100 filters',
      query('K', { filter: and(...Array.from({ length: 101 }, () => where('a', '=', 1n))) }),
    ],
    ['The property.name "__x__" is reserved.', query('K', { orders: [asc('__x__')] })],
    ['The property.name is the empty string.', query('K', { projection: [''] })],
    ['the cursor cannot be read', query('K', { startCursor: Buffer.from('x') })],
  ])('says %s', async (words, one) => {
    await expect(datastore.runQuery(APP, one)).rejects.toThrow(words);
  });
});
