import { expect } from 'vitest';
import { entityOf, keyOf, type Plain, valueOf } from '../v1-fixture.ts';
import { type Batch, type Effect, effect, expectRefusal, idsOf, run, type World, write } from './effect.ts';

/** Tasks 1 to 4, of which 1 and 2 are below the list "a", whose kind also has a Note. */
async function tasks(world: World): Promise<void> {
  await write(
    world,
    { upsert: entityOf(keyOf('List', 'a', 'Task', 1), { n: 1, group: 'x' }) },
    { upsert: entityOf(keyOf('List', 'a', 'Task', 2), { n: 2, group: 'y' }) },
    { upsert: entityOf(keyOf('Task', 3), { n: 3, group: 'x' }) },
    { upsert: entityOf(keyOf('Task', 4), { n: 4, group: 'y' }) },
    { upsert: entityOf(keyOf('Note', 5), { n: 5 }) },
  );
}

const where = (name: string, op: string, value: Plain): Plain => ({ propertyFilter: { property: { name }, op, value } });
const sorted = (batch: Batch): readonly unknown[] => [...idsOf(batch)].sort();
const array = (...values: readonly number[]): Plain => ({ arrayValue: { values: values.map(valueOf) } });

interface Values {
  readonly batch: { readonly aggregationResults: readonly { readonly aggregateProperties: Readonly<Record<string, Plain>> }[] };
  readonly query?: Plain;
}

async function aggregate(
  { client }: World,
  nestedQuery: Plain,
  ...aggregations: readonly Plain[]
): Promise<Readonly<Record<string, Plain>>> {
  const { batch } = await client.call<Values>('RunAggregationQuery', {
    aggregationQuery: { nestedQuery: { kind: [{ name: 'Task' }], ...nestedQuery }, aggregations },
  });
  return batch.aggregationResults[0]?.aggregateProperties ?? {};
}

function gql({ client }: World, queryString: string, rest: Plain = {}): Promise<{ readonly batch: Batch; readonly query: Plain }> {
  return client.call('RunQuery', { gqlQuery: { queryString, ...rest } });
}

export const QUERY_EFFECTS: readonly Effect[] = [
  effect('asks for one kind', ['RunQueryRequest.query', 'Query.kind', 'KindExpression.name'], async (world) => {
    await tasks(world);
    expect(idsOf(await run(world, { kind: [{ name: 'Note' }] }))).toEqual([5]);
    expect(sorted(await run(world, { kind: [] }))).toEqual([1, 2, 3, 4, 5]);
    await expectRefusal(run(world, { kind: [{ name: 'Note' }, { name: 'Task' }] }), 'query.kind names more than one kind');
    await expectRefusal(run(world, { kind: [{ name: '' }] }), 'The kind is the empty string.');
    await expectRefusal(world.client.call('RunQuery', {}), 'query or gql_query must be given');
  }),

  effect(
    'filters',
    [
      'Query.filter',
      'Filter.propertyFilter',
      'PropertyFilter.property',
      'PropertyFilter.op',
      'PropertyFilter.value',
      'PropertyReference.name',
    ],
    async (world) => {
      await tasks(world);
      const all: readonly [string, Plain, readonly number[]][] = [
        ['LESS_THAN', valueOf(2), [1]],
        ['LESS_THAN_OR_EQUAL', valueOf(2), [1, 2]],
        ['GREATER_THAN', valueOf(3), [4]],
        ['GREATER_THAN_OR_EQUAL', valueOf(3), [3, 4]],
        ['EQUAL', valueOf(2), [2]],
        ['IN', array(1, 4, 9), [1, 4]],
        ['NOT_EQUAL', valueOf(1), [2, 3, 4]],
        ['NOT_IN', array(1, 2), [3, 4]],
      ];
      for (const [op, value, ids] of all) expect(sorted(await run(world, { filter: where('n', op, value) })), op).toEqual(ids);
      const below = where('__key__', 'HAS_ANCESTOR', { keyValue: keyOf('List', 'a') });
      expect(sorted(await run(world, { filter: below }))).toEqual([1, 2]);
      await expectRefusal(
        run(world, { filter: where('n', 'OPERATOR_UNSPECIFIED', valueOf(1)) }),
        'a property filter must specify an operator',
      );
      await expectRefusal(run(world, { filter: where('', 'EQUAL', valueOf(1)) }), 'The property.name is the empty string.');
      await expectRefusal(
        run(world, { filter: { propertyFilter: { op: 'EQUAL', value: valueOf(1) } } }),
        'query.filter.property_filter.property',
      );
      await expectRefusal(
        run(world, { filter: { propertyFilter: { op: 'EQUAL', property: { name: 'n' } } } }),
        'query.filter.property_filter.value',
      );
      await expectRefusal(run(world, { filter: {} }), 'a filter must have exactly one of its fields set');
    },
  ),

  effect('joins filters', ['Filter.compositeFilter', 'CompositeFilter.op', 'CompositeFilter.filters'], async (world) => {
    await tasks(world);
    const joined = (op: string, ...filters: readonly Plain[]): Promise<Batch> =>
      run(world, { filter: { compositeFilter: { op, filters } } });
    const [one, x] = [where('n', 'EQUAL', valueOf(1)), where('group', 'EQUAL', valueOf('x'))];
    expect(sorted(await joined('AND', one, x))).toEqual([1]);
    expect(sorted(await joined('OR', one, x))).toEqual([1, 3]);
    await expectRefusal(joined('OPERATOR_UNSPECIFIED', one), 'a composite filter must specify an operator');
    await expectRefusal(joined('AND'), 'query.filter.composite_filter.filters must not be empty');
  }),

  effect('orders', ['Query.order', 'PropertyOrder.property', 'PropertyOrder.direction'], async (world) => {
    await tasks(world);
    const ordered = async (direction: string): Promise<readonly unknown[]> =>
      idsOf(await run(world, { order: [{ property: { name: 'n' }, direction }] }));
    expect(await ordered('ASCENDING')).toEqual([1, 2, 3, 4]);
    expect(await ordered('DIRECTION_UNSPECIFIED')).toEqual([1, 2, 3, 4]);
    expect(await ordered('DESCENDING')).toEqual([4, 3, 2, 1]);
    await expectRefusal(run(world, { order: [{}] }), 'query.order.property must be given');
  }),

  effect('projects and groups', ['Query.projection', 'Projection.property', 'Query.distinctOn'], async (world) => {
    await tasks(world);
    const projection = [{ property: { name: 'group' } }];
    const projected = await world.client.call('RunQuery', { query: { kind: [{ name: 'Task' }], projection } });
    expect(projected).toMatchObject({ batch: { entityResultType: 'PROJECTION', entityResults: { length: 4 } } });
    const keys = await world.client.call('RunQuery', {
      query: { kind: [{ name: 'Task' }], projection: [{ property: { name: '__key__' } }] },
    });
    expect(keys).toMatchObject({ batch: { entityResultType: 'KEY_ONLY' } });
    const { entityResults = [] } = await run(world, { projection, distinctOn: [{ name: 'group' }] });
    expect(entityResults.map(({ entity }) => entity.properties.group?.stringValue)).toEqual(['x', 'y']);
    await expectRefusal(run(world, { projection: [{}] }), 'query.projection.property must be given');
  }),

  effect(
    'pages',
    ['Query.startCursor', 'Query.endCursor', 'Query.offset', 'Query.limit', 'google.protobuf.Int32Value.value'],
    async (world) => {
      await tasks(world);
      const order = [{ property: { name: 'n' } }];
      const first = await run(world, { order, limit: { value: 2 }, offset: 1 });
      expect([idsOf(first), first.skippedResults, first.moreResults]).toEqual([[2, 3], 1, 'MORE_RESULTS_AFTER_LIMIT']);
      expect(first).toHaveProperty('skippedCursor');
      expect(idsOf(await run(world, { order, startCursor: first.endCursor }))).toEqual([4]);
      const until = await run(world, { order, endCursor: first.entityResults?.[0]?.cursor });
      expect([idsOf(until), until.moreResults]).toEqual([[1, 2], 'MORE_RESULTS_AFTER_CURSOR']);
      expect([idsOf(await run(world, { order, limit: { value: 0 } })), (await run(world, { order })).moreResults]).toEqual([
        [],
        'NO_MORE_RESULTS',
      ]);
      await expectRefusal(run(world, { limit: { value: -1 } }), 'Limit must be non-negative.');
      await expectRefusal(run(world, { offset: -1 }), 'Offset must be non-negative.');
    },
  ),

  effect(
    'aggregates',
    [
      ...['RunAggregationQueryRequest.aggregationQuery', 'AggregationQuery.nestedQuery', 'AggregationQuery.aggregations'],
      ...['count', 'sum', 'avg', 'alias', 'Count.upTo', 'Sum.property', 'Avg.property'].map(
        (field) => `AggregationQuery.Aggregation.${field}`,
      ),
      'google.protobuf.Int64Value.value',
    ],
    async (world) => {
      await tasks(world);
      const property = { name: 'n' };
      expect(
        await aggregate(
          world,
          {},
          { count: {} },
          { count: { upTo: { value: 3 } } },
          { alias: 'all', sum: { property } },
          { avg: { property } },
        ),
      ).toEqual({
        property_1: { integerValue: '4' },
        property_2: { integerValue: '3' },
        all: { integerValue: '10' },
        property_3: { doubleValue: 2.5 },
      });
      expect(await aggregate(world, { filter: where('n', 'GREATER_THAN', valueOf(2)) }, { count: {} })).toEqual({
        property_1: { integerValue: '2' },
      });
      expect(await aggregate(world, {}, { count: { upTo: {} } })).toEqual({ property_1: { integerValue: '0' } });
      const path = 'aggregation_query.aggregations[0]';
      await expectRefusal(aggregate(world, {}, { count: { upTo: { value: -1 } } }), `${path}.count.up_to must be non-negative`);
      await expectRefusal(aggregate(world, {}, { alias: 'none' }), `${path} must have an operator`);
      await expectRefusal(aggregate(world, {}, { sum: {} }), `${path}.sum.property must be given`);
      await expectRefusal(aggregate(world, {}, { avg: {} }), `${path}.avg.property must be given`);
      await expectRefusal(
        world.client.call('RunAggregationQuery', { aggregationQuery: {} }),
        'aggregation_query.nested_query must be given',
      );
    },
  ),

  effect(
    'runs GQL',
    [
      ...['RunQueryRequest.gqlQuery', 'RunAggregationQueryRequest.gqlQuery', 'GqlQuery.queryString', 'GqlQuery.allowLiterals'],
      ...['GqlQuery.namedBindings', 'GqlQuery.positionalBindings', 'GqlQueryParameter.value', 'GqlQueryParameter.cursor'],
    ],
    async (world) => {
      await tasks(world);
      const literal = 'SELECT * FROM Task WHERE n > 3';
      expect(idsOf((await gql(world, literal, { allowLiterals: true })).batch)).toEqual([4]);
      await expectRefusal(gql(world, literal), 'Disallowed literal: 3.');
      const { batch, query } = await gql(world, 'SELECT * FROM Task WHERE n > @low AND n < @1 ORDER BY n', {
        namedBindings: { low: { value: valueOf(1) } },
        positionalBindings: [{ value: valueOf(4) }],
      });
      expect(idsOf(batch)).toEqual([2, 3]);
      expect(query).toMatchObject({
        kind: [{ name: 'Task' }],
        order: [{ property: { name: 'n' }, direction: 'ASCENDING' }],
        filter: { compositeFilter: { op: 'AND' } },
      });
      expect(idsOf(await run(world, query))).toEqual([2, 3]);
      const cursor = batch.entityResults?.[0]?.cursor;
      const next = await gql(world, 'SELECT * FROM Task WHERE n > @low AND n < @1 ORDER BY n OFFSET @from', {
        namedBindings: { low: { value: valueOf(1) }, from: { cursor } },
        positionalBindings: [{ value: valueOf(4) }],
      });
      expect([idsOf(next.batch), next.query.startCursor]).toEqual([[3], cursor]);
      const count = { gqlQuery: { queryString: 'SELECT COUNT(*) AS c FROM Task' } };
      expect(await world.client.call('RunAggregationQuery', count)).toMatchObject({
        batch: { aggregationResults: [{ aggregateProperties: { c: { integerValue: '4' } } }], moreResults: 'NO_MORE_RESULTS' },
        query: { nestedQuery: { kind: [{ name: 'Task' }] }, aggregations: [{ count: {}, alias: 'c' }] },
      });
      await expectRefusal(world.client.call('RunQuery', count), 'gql_query aggregates');
      await expectRefusal(
        world.client.call('RunAggregationQuery', { gqlQuery: { queryString: 'SELECT * FROM Task' } }),
        'gql_query does not aggregate',
      );
      await expectRefusal(
        gql(world, 'SELECT * FROM Task WHERE n = @a', { namedBindings: { a: {} } }),
        'gql_query.named_bindings["a"] must have a value or a cursor',
      );
    },
  ),
];
