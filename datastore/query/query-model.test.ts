// Queries against a model: random entities, random queries, indexes made on demand, and a plain evaluation of what the
// query means. Prints the seed and the query when they differ (fast-check does).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Filter, type Order, type PropertyFilter, type Query } from '../../sdk/contract/query.ts';
import { type Datastore, type QueryAnswer } from '../datastore.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { pathBytes } from '../codec/row-key.ts';
import { complement, writeValue } from '../codec/value-code.ts';
import { APP, key, openDatastore, type Plain, query, remove, value, withIndexes, write } from '../fixture.ts';

interface Stored {
  readonly key: ReturnType<typeof key>;
  readonly plain: Readonly<Record<string, Plain>>;
}

const encode = (one: Value): Buffer => writeValue(new OrderedWriter(), one, APP.appId).take();
const compare = (left: Buffer, right: Buffer): number => Buffer.compare(left, right);

/** The values that index a property: in this model as encoded bytes, whose order another test checks. */
function elements({ plain }: Stored, property: string): readonly Buffer[] {
  const one = plain[property];
  if (one === undefined) return [];
  return (Array.isArray(one) ? one : [one]).map((element: Plain) => encode(value(element))).sort(compare);
}

type Conjunction = readonly PropertyFilter[];

function branches(filter: Filter | undefined): readonly Conjunction[] {
  if (!filter) return [[]];
  if (filter.kind === 'or') return filter.filters.flatMap(branches);
  if (filter.kind !== 'property') {
    return filter.filters
      .map(branches)
      .reduce<readonly Conjunction[]>((all, some) => all.flatMap((one) => some.map((two) => [...one, ...two])), [[]]);
  }
  const { operator, value: operand } = filter;
  if (operator === 'in' && operand.kind === 'array') return operand.values.map((one) => [{ ...filter, operator: '=', value: one }]);
  if (operator === '!=') return [[{ ...filter, operator: '<' }], [{ ...filter, operator: '>' }]];
  return [[filter]];
}

const INEQUALITIES = ['<', '<=', '>', '>='];

function holds(bytes: Buffer, { operator, value: operand }: PropertyFilter): boolean {
  const order = compare(bytes, encode(operand));
  return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
}

/** What one branch says of an entity: per property the elements that it allows. Undefined when it does not fit. */
function fit(
  entity: Stored,
  branch: Conjunction,
): { fixed: Map<string, Buffer>; allowed: (property: string) => readonly Buffer[] } | undefined {
  const fixed = new Map<string, Buffer>();
  for (const filter of branch) {
    if (filter.operator === 'has-ancestor') {
      const ancestor = filter.value.kind === 'key' ? filter.value.value.path : [];
      if (JSON.stringify(entity.key.path.slice(0, ancestor.length), text) !== JSON.stringify(ancestor, text)) return undefined;
    } else if (filter.operator === '=') {
      if (!elements(entity, filter.property).some((one) => one.equals(encode(filter.value)))) return undefined;
      fixed.set(filter.property, encode(filter.value));
    }
  }
  const allowed = (property: string): readonly Buffer[] =>
    elements(entity, property).filter((one) =>
      branch.every((filter) => filter.property !== property || !INEQUALITIES.includes(filter.operator) || holds(one, filter)),
    );
  const bounded = branch.filter(({ operator }) => INEQUALITIES.includes(operator));
  for (const { property } of bounded) if (allowed(property).length === 0) return undefined;
  return { fixed, allowed };
}

const text = (_: string, one: unknown): unknown => (typeof one === 'bigint' ? one.toString() : one);

/** Names of the results in order, by looking at every entity. */
function expected(entities: readonly Stored[], { entityKind, filter, orders }: Query): readonly string[] {
  const all = branches(filter);
  const fixedInAll = (property: string): boolean => {
    const values = all.map((branch) =>
      [
        ...new Set(
          branch.filter((one) => one.operator === '=' && one.property === property).map((one) => encode(one.value).toString('hex')),
        ),
      ]
        .sort()
        .join(),
    );
    return values[0] !== '' && values.every((one) => one === values[0]);
  };
  const sort: Order[] = [];
  const bounded = [
    ...new Set(all.flatMap((branch) => branch.filter(({ operator }) => INEQUALITIES.includes(operator)).map(({ property }) => property))),
  ].sort();
  for (const order of [...orders, ...bounded.map((property): Order => ({ property, direction: 'asc' }))]) {
    if (!sort.some(({ property }) => property === order.property) && !fixedInAll(order.property)) sort.push(order);
  }
  const rows = entities.flatMap((entity) => {
    if (entity.key.path.at(-1)?.kind !== entityKind) return [];
    const places = all.flatMap((branch) => {
      const fits = fit(entity, branch);
      if (!fits) return [];
      const columns = sort.map(({ property, direction }) => {
        const fixed = fits.fixed.get(property);
        const choice = fixed ? [fixed] : fits.allowed(property);
        const best = direction === 'asc' ? choice[0] : choice.at(-1);
        return best && (direction === 'asc' ? best : complement(best));
      });
      return columns.every((column) => column !== undefined) ? [Buffer.concat([...columns, pathBytes(entity.key.path)])] : [];
    });
    const [first] = places.sort(compare);
    return first ? [{ first, name: pathText(entity) }] : [];
  });
  return rows.sort((left, right) => compare(left.first, right.first)).map(({ name }) => name);
}

const pathText = (entity: { readonly key: ReturnType<typeof key> }): string => entity.key.path.map(({ name }) => name).join('/');

/** All results, batch by batch through cursors, skipping `offset` in the first. */
async function all(datastore: Datastore, asked: Query, batch: number): Promise<readonly string[]> {
  const names: string[] = [];
  let next: Query = { ...asked, limit: batch };
  for (let round = 0; round < 1_000; round++) {
    const answer: QueryAnswer = await datastore.runQuery(APP, next);
    names.push(...answer.results.map(({ entity }) => pathText(decodeEntity(entity))));
    if (answer.more === 'no-more') return names;
    next = { ...next, offset: next.offset - answer.skipped, startCursor: answer.endCursor };
  }
  throw new Error('the query does not end');
}

const scalar = fc.constantFrom<Plain>(1n, 2n, 3n, 'a', 'b', null, 1.5);
const plainValue = fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 2, arbitrary: fc.array(scalar, { maxLength: 3 }) });
const PROPERTIES = ['a', 'b', 'c'];
const property = fc.constantFrom(...PROPERTIES);
const root = fc.constantFrom('r1', 'r2');
const entity: fc.Arbitrary<Stored> = fc.record({
  key: fc
    .tuple(root, fc.constantFrom('A', 'B'), fc.constantFrom('1', '2', '3', '4', '5'), fc.boolean())
    .map(([parent, kind, name, isRoot]) => (isRoot ? key(kind, name) : key('R', parent, kind, name))),
  plain: fc.dictionary(property, plainValue, { maxKeys: 3 }),
});
const comparison: fc.Arbitrary<Filter> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('property' as const),
      property,
      operator: fc.constantFrom('=' as const),
      value: scalar.map(value),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('property' as const),
      property,
      operator: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const, '!=' as const),
      value: scalar.map(value),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('property' as const),
      property,
      operator: fc.constant('in' as const),
      value: fc.array(scalar, { minLength: 1, maxLength: 3 }).map(value),
    }),
  },
  {
    weight: 2,
    arbitrary: root.map((name): Filter => ({
      kind: 'property',
      property: '__key__',
      operator: 'has-ancestor',
      value: value(key('R', name)),
    })),
  },
);
const filter: fc.Arbitrary<Filter | undefined> = fc.oneof(
  fc.constant(undefined),
  { weight: 3, arbitrary: comparison },
  { weight: 4, arbitrary: fc.array(comparison, { minLength: 2, maxLength: 3 }).map((filters): Filter => ({ kind: 'and', filters })) },
  { weight: 2, arbitrary: fc.array(comparison, { minLength: 2, maxLength: 2 }).map((filters): Filter => ({ kind: 'or', filters })) },
);
const order: fc.Arbitrary<Order> = fc.record({ property, direction: fc.constantFrom('asc' as const, 'desc' as const) });
const asked = fc.record({ filter, orders: fc.uniqueArray(order, { maxLength: 2, selector: (one) => one.property }) });

describe('queries', () => {
  it('return what their meaning says, in order, in batches of any size', async () => {
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(entity, { maxLength: 14 }),
        fc.array(entity, { maxLength: 4 }),
        fc.array(fc.tuple(asked, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 6 }),
        async (first, second, queries) => {
          const { datastore } = await openDatastore();
          const model = new Map<string, Stored>();
          const put = async (entities: readonly Stored[]): Promise<void> => {
            for (const one of entities) {
              await datastore.commit(APP, [write('upsert', one.key, one.plain)]);
              model.set(JSON.stringify(one.key.path), one);
            }
          };
          await put(first);
          for (const [{ filter: one, orders }, batch, offset] of queries) {
            const full = query('A', { orders, ...(one ? { filter: one } : {}) });
            const wanted = (): readonly string[] => expected([...model.values()], full);
            const found = await withIndexes(datastore, () => all(datastore, full, batch)).catch((error: unknown) => {
              if (error instanceof PlatformError && error.code === 'NOT_IMPLEMENTED') return undefined;
              throw error;
            });
            if (!found) continue;
            ran++;
            expect(found).toEqual(wanted());
            expect(await all(datastore, { ...full, offset }, batch)).toEqual(wanted().slice(offset));
            expect(await all(datastore, { ...full, projection: ['__key__'] }, batch)).toEqual(wanted());
          }
          // Entities that change and go after the indexes were made.
          await put(second);
          for (const one of first.slice(0, 3)) {
            await datastore.commit(APP, [remove(one.key)]);
            model.delete(JSON.stringify(one.key.path));
          }
          for (const [{ filter: one, orders }, batch] of queries) {
            const full = query('A', { orders, ...(one ? { filter: one } : {}) });
            const found = await withIndexes(datastore, () => all(datastore, full, batch)).catch(() => undefined);
            if (found) expect(found).toEqual(expected([...model.values()], full));
          }
          await datastore.close();
        },
      ),
      { numRuns: 150 },
    );
    expect(ran).toBeGreaterThan(200);
  }, 60_000);

  it('leave no index row behind when everything is deleted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entity, { maxLength: 10 }), async (entities) => {
        const { datastore, store } = await openDatastore();
        await datastore.ensureIndexes(APP, [
          {
            kind: 'A',
            ancestor: true,
            properties: [
              { name: 'a', direction: 'asc' },
              { name: 'b', direction: 'desc' },
            ],
          },
        ]);
        await datastore.indexesBuilt();
        for (const one of entities) await datastore.commit(APP, [write('upsert', one.key, one.plain)]);
        for (const one of entities) await datastore.commit(APP, [write('upsert', one.key, { a: 1n, b: ['x', 'y'] })]);
        await datastore.commit(
          APP,
          entities.map((one) => remove(one.key)),
        );
        for (const family of ['C', 'E', 'K', 'P']) {
          const scan = store.scan({ from: Buffer.from(family), to: Buffer.from([family.charCodeAt(0) + 1]) });
          expect(await scan.next(10)).toEqual([]);
          await scan.close();
        }
        await datastore.close();
      }),
      { numRuns: 50 },
    );
  });
});
