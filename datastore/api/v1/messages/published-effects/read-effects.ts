import { expect } from 'vitest';
import { type V1Method } from '../../port.ts';
import { entityOf, keyOf, type Plain, PROJECT, V1Client } from '../v1-fixture.ts';
import { type Effect, effect, expectRefusal, idsOf, lookUp, propertiesOf, run, type World, write } from './effect.ts';

const KEY = keyOf('Task', 1);

/** A request of each method that is well-formed. */
const PLAIN: Readonly<Record<V1Method, Plain>> = {
  Lookup: { keys: [KEY] },
  RunQuery: { query: { kind: [{ name: 'Task' }] } },
  RunAggregationQuery: { aggregationQuery: { nestedQuery: { kind: [{ name: 'Task' }] }, aggregations: [{ count: {} }] } },
  BeginTransaction: {},
  Commit: { mode: 'NON_TRANSACTIONAL' },
  Rollback: {},
  AllocateIds: { keys: [keyOf('Task')] },
  ReserveIds: { keys: [KEY] },
};

async function begin({ client }: World, transactionOptions: Plain = {}): Promise<string> {
  return (await client.call<{ transaction: string }>('BeginTransaction', { transactionOptions })).transaction;
}

const named = (key: Plain, partitionId: Plain): Plain => ({ ...key, partitionId });

export const READ_EFFECTS: readonly Effect[] = [
  ...(Object.keys(PLAIN) as V1Method[]).flatMap((method) => [
    effect('says whose data', [`${method}Request.projectId`], async ({ service }) => {
      const asked: string[] = [];
      const client = new V1Client(service, {
        appOf: (projectId) => {
          asked.push(projectId);
          return projectId;
        },
        signal: new AbortController().signal,
      });
      const rest = method === 'Rollback' ? { transaction: (await client.call('BeginTransaction', {})).transaction } : {};
      await client.call(method, { ...PLAIN[method], ...rest });
      expect(asked.at(-1)).toBe(PROJECT);
      await expectRefusal(client.call(method, { ...PLAIN[method], projectId: '' }), 'Missing project id.');
    }),
    effect('says which database', [`${method}Request.databaseId`], async ({ client }) => {
      await expectRefusal(
        client.call(method, { ...PLAIN[method], databaseId: '(default)', ...(method === 'Rollback' && { transaction: Buffer.alloc(16) }) }),
        'the default database is named by the empty string',
      );
      const other = { databaseId: 'other' };
      const { transaction } = await client.call<{ transaction: string }>('BeginTransaction', other);
      switch (method) {
        case 'BeginTransaction':
        case 'Rollback':
          await expectRefusal(client.call('Rollback', { transaction }), 'no longer valid');
          await client.call('Rollback', { transaction, ...other });
          return;
        case 'Lookup':
        case 'AllocateIds':
        case 'ReserveIds': {
          const key = named(method === 'AllocateIds' ? keyOf('Task') : KEY, { databaseId: 'third' });
          await expectRefusal(client.call(method, { keys: [key], ...other }), 'mismatched databases within request');
          return;
        }
        case 'RunQuery':
        case 'RunAggregationQuery':
          await expectRefusal(
            client.call(method, { ...PLAIN[method], ...other, partitionId: { databaseId: 'third' } }),
            'mismatched databases',
          );
          return;
        case 'Commit':
          await client.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entityOf(KEY) }], ...other });
          expect(await lookUp({ client }, [KEY])).toMatchObject({ missing: [{}] });
          expect(await lookUp({ client }, [KEY], other)).toMatchObject({ found: [{ entity: { key: { partitionId: other } } }] });
      }
    }),
  ]),

  effect(
    'names what is looked up',
    ['LookupRequest.keys', 'Key.path', 'Key.PathElement.kind', 'Key.PathElement.id', 'Key.PathElement.name'],
    async (world) => {
      await write(world, { upsert: entityOf(keyOf('Task', 1, 'Step', 'a'), { n: 1 }) });
      expect(await propertiesOf(world, keyOf('Task', 1, 'Step', 'a'))).toEqual({
        n: { integerValue: '1' },
      });
      for (const other of [
        keyOf('Task', 2, 'Step', 'a'),
        keyOf('Task', 1, 'Step', 'b'),
        keyOf('Other', 1, 'Step', 'a'),
        keyOf('Step', 'a'),
      ]) {
        expect(await propertiesOf(world, other)).toBeUndefined();
      }
    },
  ),

  effect(
    'says where a key is',
    ['Key.partitionId', 'PartitionId.projectId', 'PartitionId.databaseId', 'PartitionId.namespaceId'],
    async (world) => {
      const key = named(KEY, { projectId: PROJECT, namespaceId: 'n' });
      await write(world, { upsert: entityOf(key) });
      expect(await propertiesOf(world, KEY)).toBeUndefined();
      expect(await propertiesOf(world, named(KEY, { namespaceId: 'n' }))).toEqual({});
      await expectRefusal(lookUp(world, [named(KEY, { projectId: 'another' })]), 'a key of "another"');
      await expectRefusal(lookUp(world, [named(KEY, { databaseId: 'another' })]), 'mismatched databases within request');
    },
  ),

  effect('says where a query looks', ['RunQueryRequest.partitionId', 'RunAggregationQueryRequest.partitionId'], async (world) => {
    await write(world, { upsert: entityOf(named(KEY, { namespaceId: 'n' })) });
    const partitionId = { namespaceId: 'n' };
    expect(idsOf(await run(world, {}))).toEqual([]);
    expect(idsOf(await run(world, {}, { partitionId }))).toEqual([1]);
    expect(idsOf(await run(world, {}, { partitionId: { ...partitionId, projectId: PROJECT } }))).toEqual([1]);
    const count = await world.client.call('RunAggregationQuery', { ...PLAIN.RunAggregationQuery, partitionId });
    expect(count).toMatchObject({ batch: { aggregationResults: [{ aggregateProperties: { property_1: { integerValue: '1' } } }] } });
    for (const wrong of [{ projectId: 'another' }, { databaseId: 'another' }]) {
      await expectRefusal(run(world, {}, { partitionId: wrong }), 'mismatched databases within request');
    }
    await expectRefusal(run(world, {}, { partitionId: { namespaceId: '__x__' } }), 'The namespace id "__x__" is reserved.');
  }),

  effect(
    'is content with an older state',
    ['LookupRequest.readOptions', 'RunQueryRequest.readOptions', 'ReadOptions.readConsistency'],
    async (world) => {
      const eventual = { readOptions: { readConsistency: 'EVENTUAL' } };
      const strong = { readOptions: { readConsistency: 'STRONG' } };
      expect((await run(world, {}, strong)).snapshotVersion).toMatch(/^\d+$/);
      expect((await run(world, {}, eventual)).snapshotVersion).toBeUndefined();
      expect((await lookUp(world, [KEY], strong)).missing?.[0]).toHaveProperty('version');
      expect((await lookUp(world, [KEY], eventual)).missing?.[0]).not.toHaveProperty('version');
      const unknown = Buffer.concat([Buffer.from([0x0a, 2, 0x08, 9, 0x42, PROJECT.length]), Buffer.from(PROJECT)]);
      await expectRefusal(world.client.send('Lookup', unknown), 'read_options.read_consistency has no value 9');
    },
  ),

  effect(
    'reads within a transaction',
    ['ReadOptions.transaction', 'RollbackRequest.transaction', 'RunAggregationQueryRequest.readOptions'],
    async (world) => {
      const transaction = await begin(world, { readOnly: {} });
      await write(world, { upsert: entityOf(KEY) });
      const rest = { readOptions: { transaction } };
      expect(await propertiesOf(world, KEY, rest)).toBeUndefined();
      expect(idsOf(await run(world, {}, rest))).toEqual([]);
      const count = await world.client.call('RunAggregationQuery', { ...PLAIN.RunAggregationQuery, ...rest });
      expect(count).toMatchObject({ batch: { aggregationResults: [{ aggregateProperties: { property_1: { integerValue: '0' } } }] } });
      await world.client.call('Rollback', { transaction });
      await expectRefusal(propertiesOf(world, KEY, rest), 'no longer valid');
      await expectRefusal(world.client.call('Rollback', {}), 'transaction must be given');
    },
  ),

  effect(
    'begins a transaction',
    [
      'BeginTransactionRequest.transactionOptions',
      'TransactionOptions.readWrite',
      'TransactionOptions.readOnly',
      'ReadOptions.newTransaction',
    ],
    async (world) => {
      const commit = (transaction: string | undefined): Promise<Plain> =>
        world.client.call('Commit', { mode: 'TRANSACTIONAL', transaction, mutations: [{ upsert: entityOf(KEY) }] });
      const refusal = 'Cannot modify entities in a read-only transaction.';
      await commit(await begin(world, { readWrite: {} }));
      await expectRefusal(commit(await begin(world, { readOnly: {} })), refusal);
      const readWrite = { readOptions: { newTransaction: { readWrite: {} } } };
      const readOnly = { readOptions: { newTransaction: { readOnly: {} } } };
      await commit((await lookUp(world, [KEY], readWrite)).transaction);
      await expectRefusal(commit((await lookUp(world, [KEY], readOnly)).transaction), refusal);
      for (const method of ['RunQuery', 'RunAggregationQuery'] as const) {
        const { transaction } = await world.client.call<{ transaction: string }>(method, { ...PLAIN[method], ...readOnly });
        await expectRefusal(commit(transaction), refusal);
      }
    },
  ),

  effect('names the transaction that is tried again', ['TransactionOptions.ReadWrite.previousTransaction'], async (world) => {
    const previousTransaction = await begin(world);
    await begin(world, { readWrite: { previousTransaction } });
    const malformed = { readWrite: { previousTransaction: Buffer.from('once') } };
    await expectRefusal(begin(world, malformed), 'previous_transaction');
    await expectRefusal(lookUp(world, [KEY], { readOptions: { newTransaction: malformed } }), 'previous_transaction');
    await expectRefusal(world.client.call('Commit', { singleUseTransaction: malformed }), 'previous_transaction');
  }),

  effect(
    'reads an earlier state',
    [
      'ReadOptions.readTime',
      'TransactionOptions.ReadOnly.readTime',
      'google.protobuf.Timestamp.seconds',
      'google.protobuf.Timestamp.nanos',
    ],
    async (world) => {
      const [first] = await write(world, { upsert: entityOf(KEY, { n: 1 }) });
      await write(world, { upsert: entityOf(KEY, { n: 2 }) });
      const readTime = first?.updateTime as { readonly seconds: string; readonly nanos?: number };
      const before = { ...readTime, seconds: String(Number(readTime.seconds) - 1) };
      expect(await propertiesOf(world, KEY, { readOptions: { readTime } })).toEqual({ n: { integerValue: '1' } });
      expect(await propertiesOf(world, KEY, { readOptions: { newTransaction: { readOnly: { readTime } } } })).toEqual({
        n: { integerValue: '1' },
      });
      const transaction = await begin(world, { readOnly: { readTime } });
      expect(await propertiesOf(world, KEY, { readOptions: { transaction } })).toEqual({ n: { integerValue: '1' } });
      expect(await propertiesOf(world, KEY, { readOptions: { readTime: before } })).toBeUndefined();
      const refused = (nanos: number): Promise<unknown> => propertiesOf(world, KEY, { readOptions: { readTime: { ...readTime, nanos } } });
      await expectRefusal(refused(1), 'read_options.read_time is finer than a microsecond');
      await expectRefusal(refused(-1_000), 'read_options.read_time is no timestamp');
    },
  ),

  effect(
    'says which properties are told',
    ['LookupRequest.propertyMask', 'RunQueryRequest.propertyMask', 'PropertyMask.paths'],
    async (world) => {
      await write(world, { upsert: entityOf(KEY, { a: 1, b: 2 }) });
      const propertyMask = { paths: ['a'] };
      expect(await propertiesOf(world, KEY, { propertyMask })).toEqual({ a: { integerValue: '1' } });
      expect(await propertiesOf(world, KEY, { propertyMask: {} })).toEqual({});
      expect(await run(world, {}, { propertyMask })).toMatchObject({
        entityResults: [{ entity: { properties: { a: { integerValue: '1' } } } }],
      });
      expect((await run(world, {}, { propertyMask })).entityResults?.[0]?.entity.properties).not.toHaveProperty('b');
      await expectRefusal(
        run(world, { projection: [{ property: { name: 'a' } }] }, { propertyMask }),
        'property_mask is not for a query with a projection',
      );
      await expectRefusal(propertiesOf(world, KEY, { propertyMask: { paths: [''] } }), 'a property path is the empty string');
    },
  ),

  effect(
    'explains',
    ['RunQueryRequest.explainOptions', 'RunAggregationQueryRequest.explainOptions', 'ExplainOptions.analyze'],
    async (world) => {
      await write(world, { upsert: entityOf(KEY, { a: 1 }) });
      for (const method of ['RunQuery', 'RunAggregationQuery'] as const) {
        const none = await world.client.call(method, PLAIN[method]);
        expect(none).not.toHaveProperty('explainMetrics');
        const plan = await world.client.call(method, { ...PLAIN[method], explainOptions: {} });
        expect(plan).not.toHaveProperty('batch');
        expect(plan).not.toHaveProperty('explainMetrics.executionStats');
        expect(plan).toHaveProperty('explainMetrics.planSummary.indexesUsed.0.fields.query_scope.stringValue', 'Collection group');
        const both = await world.client.call(method, { ...PLAIN[method], explainOptions: { analyze: true } });
        expect(both).toMatchObject({
          batch: {},
          explainMetrics: { planSummary: { indexesUsed: [{}] }, executionStats: { resultsReturned: '1', readOperations: '1' } },
        });
      }
    },
  ),
];
