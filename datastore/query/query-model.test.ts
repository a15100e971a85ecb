// Queries against a model: random entities, random queries, indexes made on demand, and a plain evaluation of what the
// query means. Prints the seed and the query when they differ (fast-check does).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Filter, type Order, type PropertyFilter, type PropertyOperator, type Query } from '../../sdk/contract/query.ts';
import { type Datastore } from '../datastore.ts';
import { type QueryAnswer } from '../read-answer.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { pathBytes } from '../codec/row-key.ts';
import { complement, writeValue } from '../codec/value-code.ts';
import { APP, key, openDatastore, type Plain, query, remove, value, withIndexes, write } from '../fixture.ts';

interface Stored {
  readonly key: ReturnType<typeof key>;
  readonly plain: Readonly<Record<string, Plain>>;
}

const KEY = '__key__';
const encode = (one: Value): Buffer => writeValue(new OrderedWriter(), one, APP.appId).take();
const compare = (left: Buffer, right: Buffer): number => Buffer.compare(left, right);
const distinct = (values: readonly Buffer[]): readonly Buffer[] =>
  [...new Map(values.map((one) => [one.toString('latin1'), one])).values()].sort(compare);

/** The values that index a property: in this model as encoded bytes, whose order another test checks. */
function elements({ key: at, plain }: Stored, property: string): readonly Buffer[] {
  if (property === KEY) return [encode(value(at))];
  const one = plain[property];
  if (one === undefined) return [];
  return distinct((Array.isArray(one) ? one : [one]).map((element: Plain) => encode(value(element))));
}

const distinctValues = (values: readonly Value[]): readonly Value[] => [
  ...new Map(values.map((one) => [encode(one).toString('latin1'), one])).values(),
];

type Conjunction = readonly PropertyFilter[];

/** The filter as an OR of ANDs of equalities, bounds and ancestors. */
function conjunctions(filter: Filter | undefined): readonly Conjunction[] {
  if (!filter) return [[]];
  if (filter.kind === 'or') return filter.filters.flatMap(conjunctions);
  if (filter.kind !== 'property') {
    return filter.filters
      .map(conjunctions)
      .reduce<readonly Conjunction[]>((all, some) => all.flatMap((one) => some.map((two) => [...one, ...two])), [[]]);
  }
  const { operator, value: operand } = filter;
  if (operator === 'in' && operand.kind === 'array')
    return distinctValues(operand.values).map((one) => [{ ...filter, operator: '=', value: one }]);
  if (operator === '!=') return [[{ ...filter, operator: '<' }], [{ ...filter, operator: '>' }]];
  if (operator === 'not-in' && operand.kind === 'array') {
    const sorted = [...distinctValues(operand.values)].sort((left, right) => compare(encode(left), encode(right)));
    return [...sorted, undefined].map((one, at): Conjunction => {
      const below = sorted[at - 1];
      return [
        ...(below ? [{ ...filter, operator: '>' as const, value: below }] : []),
        ...(one ? [{ ...filter, operator: '<' as const, value: one }] : []),
      ];
    });
  }
  return [[filter]];
}

interface Branch {
  readonly equals: ReadonlyMap<string, readonly Buffer[]>;
  /** Of each property: what one element must satisfy. */
  readonly bounds: ReadonlyMap<string, readonly PropertyFilter[]>;
  readonly ancestors: readonly (readonly unknown[])[];
}

const INEQUALITIES = ['<', '<=', '>', '>='];

function holds(bytes: Buffer, { operator, value: operand }: PropertyFilter): boolean {
  const order = compare(bytes, encode(operand));
  return operator === '<'
    ? order < 0
    : operator === '<='
      ? order <= 0
      : operator === '>'
        ? order > 0
        : operator === '>='
          ? order >= 0
          : order === 0;
}

/** Undefined for what contradicts itself. Bounds that leave one value are an equality, except on the key. */
function branchOf(conjunction: Conjunction): Branch | undefined {
  const equals = new Map<string, readonly Buffer[]>();
  const bounds = new Map<string, readonly PropertyFilter[]>();
  const ancestors = conjunction.flatMap(({ operator, value: one }) =>
    operator === 'has-ancestor' && one.kind === 'key' ? [one.value.path] : [],
  );
  if (ancestors.some((one) => ancestors.some((other) => !isPrefix(one, other) && !isPrefix(other, one)))) return undefined;
  for (const property of new Set(conjunction.map((one) => one.property))) {
    const of = conjunction.filter((one) => one.property === property);
    const range = of.filter(({ operator }) => INEQUALITIES.includes(operator) || (property === KEY && operator === '='));
    const lows = range.filter(({ operator }) => operator.startsWith('>') || operator === '=');
    const highs = range.filter(({ operator }) => operator.startsWith('<') || operator === '=');
    for (const low of lows.map((one) => encode(one.value))) {
      for (const high of highs.map((one) => encode(one.value))) {
        if (compare(low, high) > 0) return undefined;
        if (low.equals(high) && !range.every((one) => holds(low, one))) return undefined;
      }
    }
    const point = lows.map((one) => encode(one.value)).find((low) => highs.some((high) => encode(high.value).equals(low)));
    const values = of.filter(({ operator }) => operator === '=').map((one) => encode(one.value));
    if (property !== KEY && (values.length > 0 || point)) equals.set(property, distinct([...values, ...(point ? [point] : [])]));
    if (range.length > 0) bounds.set(property, range);
  }
  return { equals, bounds, ancestors };
}

const isPrefix = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  JSON.stringify(one, text) === JSON.stringify(other.slice(0, one.length), text);
const text = (_: string, one: unknown): unknown => (typeof one === 'bigint' ? one.toString() : one);

function branchesOf(filter: Filter | undefined): readonly Branch[] {
  return conjunctions(filter)
    .map(branchOf)
    .filter((branch) => branch !== undefined);
}

const wanted = (entity: Stored, { bounds }: Branch, property: string): readonly Buffer[] =>
  elements(entity, property).filter((one) => (bounds.get(property) ?? []).every((filter) => holds(one, filter)));

function fits(entity: Stored, branch: Branch): boolean {
  return (
    branch.ancestors.every((path) => isPrefix(path, entity.key.path)) &&
    [...branch.bounds.keys()].every((property) => wanted(entity, branch, property).length > 0) &&
    [...branch.equals].every(([property, values]) => values.every((one) => elements(entity, property).some((other) => other.equals(one))))
  );
}

const isFixed = (branches: readonly Branch[], property: string): boolean => {
  const values = branches.map(({ equals }) => (equals.get(property) ?? []).map((one) => one.toString('hex')).join());
  return values[0] !== undefined && values[0] !== '' && values.every((one) => one === values[0]);
};

/** What orders the results before their keys, and the direction of those. */
function sortOf({ orders }: Query, branches: readonly Branch[]): { readonly sort: readonly Order[]; readonly keys: 'asc' | 'desc' } {
  const keyAt = orders.findIndex(({ property }) => property === KEY);
  const sort: Order[] = [];
  const add = (order: Order): void => {
    if (!sort.some(({ property }) => property === order.property) && !isFixed(branches, order.property)) sort.push(order);
  };
  orders.slice(0, keyAt === -1 ? orders.length : keyAt).forEach(add);
  const bounded = new Set(branches.flatMap(({ equals, bounds }) => [...bounds.keys()].filter((one) => one !== KEY && !equals.has(one))));
  const left = [...bounded].filter((one) => !sort.some(({ property }) => property === one)).sort();
  const keyOrder = orders[keyAt];
  if (keyOrder && left.length > 0) sort.push(keyOrder);
  left.forEach((property) => add({ property, direction: 'asc' }));
  return { sort, keys: keyOrder && left.length === 0 ? keyOrder.direction : 'asc' };
}

interface Entry {
  readonly entity: Stored;
  /** Per column, as it orders. */
  readonly columns: readonly Buffer[];
  readonly place: Buffer;
}

/** Every combination of values that the columns have for an entity, in order; of branches that overlap each once. */
function entries(
  entities: readonly Stored[],
  { entityKind }: Query,
  branches: readonly Branch[],
  columns: readonly Order[],
  keys: 'asc' | 'desc',
): readonly Entry[] {
  const found = new Map<string, Entry>();
  for (const entity of entities.filter(({ key: { path } }) => path.at(-1)?.kind === entityKind)) {
    for (const branch of branches.filter((one) => fits(entity, one))) {
      const values = columns.map(({ property, direction }) => {
        const fixed = branch.equals.get(property);
        const all = fixed
          ? [direction === 'asc' ? fixed[0] : fixed.at(-1)].filter((one) => one !== undefined)
          : wanted(entity, branch, property);
        return direction === 'asc' ? all : all.map(complement);
      });
      const combinations = values.reduce<readonly (readonly Buffer[])[]>(
        (heads, column) => heads.flatMap((head) => column.map((one) => [...head, one])),
        [[]],
      );
      const path = pathBytes(entity.key.path);
      for (const combination of combinations) {
        const place = Buffer.concat([...combination, keys === 'asc' ? path : complement(path)]);
        found.set(place.toString('latin1'), { entity, columns: combination, place });
      }
    }
  }
  return [...found.values()].sort((left, right) => compare(left.place, right.place));
}

function boundsLeaveOne(bounds: readonly PropertyFilter[]): boolean {
  const lows = bounds.filter(({ operator }) => operator.startsWith('>') || operator === '=').map((one) => encode(one.value));
  const highs = bounds.filter(({ operator }) => operator.startsWith('<') || operator === '=').map((one) => encode(one.value));
  return lows.some((low) => highs.some((high) => high.equals(low)));
}

/** Names of the results in order, by looking at every entity. */
function expected(entities: readonly Stored[], asked: Query): readonly string[] {
  const branches = branchesOf(asked.filter);
  const [only] = branches;
  const isOneKey = branches.length === 1 && only !== undefined && boundsLeaveOne(only.bounds.get(KEY) ?? []);
  if (isOneKey) return [...new Set(entries(entities, asked, branches, [], 'asc').map(({ entity }) => pathText(entity)))];
  const { sort, keys } = sortOf(asked, branches);
  return [...new Set(entries(entities, asked, branches, sort, keys).map(({ entity }) => pathText(entity)))];
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
const keyValue = fc.oneof(
  fc.constantFrom('1', '2', '3', '4').map((name) => key('A', name)),
  fc.constantFrom('1', '3', '5').map((name) => key('R', 'r1', 'A', name)),
  root.map((name) => key('R', name)),
);
const on = (property: fc.Arbitrary<string>, operator: fc.Arbitrary<PropertyOperator>, operand: fc.Arbitrary<Plain>): fc.Arbitrary<Filter> =>
  fc.record({ kind: fc.constant('property' as const), property, operator, value: operand.map(value) });
const some = (one: fc.Arbitrary<Plain>): fc.Arbitrary<Plain> => fc.array(one, { minLength: 1, maxLength: 3 });
const inequality = fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const, '!=' as const);
const comparison: fc.Arbitrary<Filter> = fc.oneof(
  { weight: 5, arbitrary: on(property, fc.constant('='), scalar) },
  { weight: 4, arbitrary: on(property, inequality, scalar) },
  { weight: 2, arbitrary: on(property, fc.constantFrom('in', 'not-in'), some(scalar)) },
  { weight: 2, arbitrary: on(fc.constant(KEY), fc.oneof(inequality, fc.constant('=' as const)), keyValue) },
  { weight: 1, arbitrary: on(fc.constant(KEY), fc.constantFrom('in', 'not-in'), some(keyValue)) },
  {
    weight: 2,
    arbitrary: on(
      fc.constant(KEY),
      fc.constant('has-ancestor'),
      root.map((name) => key('R', name)),
    ),
  },
);
const filter: fc.Arbitrary<Filter | undefined> = fc.oneof(
  fc.constant(undefined),
  { weight: 3, arbitrary: comparison },
  { weight: 4, arbitrary: fc.array(comparison, { minLength: 2, maxLength: 3 }).map((filters): Filter => ({ kind: 'and', filters })) },
  { weight: 2, arbitrary: fc.array(comparison, { minLength: 2, maxLength: 2 }).map((filters): Filter => ({ kind: 'or', filters })) },
);
const order: fc.Arbitrary<Order> = fc.record({
  property: fc.oneof({ weight: 5, arbitrary: property }, { weight: 1, arbitrary: fc.constant(KEY) }),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
});
const asked = fc.record({ filter, orders: fc.uniqueArray(order, { maxLength: 2, selector: (one) => one.property }) });

/** NOT IN and != on both sides of an AND make more branches than a query may have. */
function unlessTooMany(error: unknown): undefined {
  if (error instanceof PlatformError && error.code === 'DS_LIMIT' && error.message.includes('branches')) return;
  throw error;
}

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
            const found = await withIndexes(datastore, () => all(datastore, full, batch)).catch(unlessTooMany);
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
            const found = await withIndexes(datastore, () => all(datastore, full, batch)).catch(unlessTooMany);
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
