import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Datastore } from '../../datastore.ts';
import { openDatastore } from '../../fixture.ts';
import { type CallGuard } from './port.ts';
import { entityOf, keyOf, type Plain, PROJECT, V1Client } from './messages/v1-fixture.ts';
import { DatastoreV1Service } from './v1-service.ts';

describe('the methods of the v1 API', () => {
  let datastore: Datastore;
  let client: V1Client;

  beforeEach(async () => {
    ({ datastore } = await openDatastore());
    client = new V1Client(new DatastoreV1Service(() => datastore));
  });

  afterEach(() => datastore.close());

  const commit = (...mutations: readonly Plain[]): Promise<Plain> => client.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations });

  it('writes an entity and gives it back as it was written', async () => {
    const written = entityOf(keyOf('Task', 'a'), { n: 1, text: 'x'.repeat(1_000) });
    const { mutationResults } = await client.call<{ mutationResults: readonly { version: string }[] }>('Commit', {
      mode: 'NON_TRANSACTIONAL',
      mutations: [{ upsert: written }],
    });
    const answer = await client.call('Lookup', { keys: [keyOf('Task', 'a'), keyOf('Task', 'b')] });
    const partitionId = { projectId: PROJECT };
    expect(answer).toMatchObject({
      found: [
        {
          version: mutationResults[0]?.version,
          entity: {
            key: { partitionId, path: [{ kind: 'Task', name: 'a' }] },
            properties: { n: { integerValue: '1' }, text: { stringValue: 'x'.repeat(1_000) } },
          },
        },
      ],
      missing: [{ entity: { key: { partitionId, path: [{ kind: 'Task', name: 'b' }] } } }],
    });
  });

  it('queries', async () => {
    await commit(...[1, 2, 3].map((n) => ({ insert: entityOf(keyOf('Task', n), { n }) })));
    const filter = { propertyFilter: { property: { name: 'n' }, op: 'GREATER_THAN', value: { integerValue: 1 } } };
    const answer = await client.call('RunQuery', { query: { kind: [{ name: 'Task' }], filter, limit: { value: 1 }, offset: 1 } });
    expect(answer).toMatchObject({
      batch: {
        skippedResults: 1,
        entityResultType: 'FULL',
        entityResults: [{ entity: { properties: { n: { integerValue: '3' } } } }],
        moreResults: 'MORE_RESULTS_AFTER_LIMIT',
      },
    });
  });

  it('commits what a transaction read', async () => {
    const { transaction } = await client.call<{ transaction: string }>('BeginTransaction', {});
    await client.call('Lookup', { keys: [keyOf('Task', 1)], readOptions: { transaction } });
    const answer = await client.call('Commit', {
      mode: 'TRANSACTIONAL',
      transaction,
      mutations: [{ insert: entityOf(keyOf('Task'), { n: 1 }) }],
    });
    expect(answer).toMatchObject({
      commitTime: {},
      indexUpdates: expect.any(Number) as number,
      mutationResults: [{ key: { path: [{ kind: 'Task' }] } }],
    });
    expect(await client.refusal('Rollback', { transaction })).toBe(
      'INVALID_ARGUMENT The referenced transaction has expired or is no longer valid.',
    );
  });

  it('says the same time of an entity, its commit, and a read of it', async () => {
    const written = await client.call<{ readonly mutationResults: readonly { readonly updateTime: Plain }[] }>('Commit', {
      mode: 'TRANSACTIONAL',
      singleUseTransaction: {},
      mutations: [{ upsert: entityOf(keyOf('Task', 1), { n: 1 }) }],
    });
    const [result] = written.mutationResults;
    expect(written).toMatchObject({ commitTime: result?.updateTime });
    const found = await client.call('Lookup', { keys: [keyOf('Task', 1)] });
    expect(found).toMatchObject({ found: [result], readTime: result?.updateTime });
    const batch = await client.call('RunQuery', { query: { kind: [{ name: 'Task' }] } });
    expect(batch).toMatchObject({ batch: { entityResults: [result], readTime: result?.updateTime } });
  });

  it('rolls back a transaction whose first read fails', async () => {
    const newTransaction = { readOptions: { newTransaction: {} } };
    for (let times = 0; times < LIMITS.transactionsOpenMax + 1; times++) {
      const refusal = await client.refusal('Lookup', { keys: [keyOf('Task')], ...newTransaction });
      expect(refusal).toContain('Key path element must not be incomplete');
    }
    expect(await client.call('Lookup', { keys: [keyOf('Task', 1)], ...newTransaction })).toHaveProperty('transaction');
  });

  it('defers keys whose entities make the answer too large', async () => {
    const text = 'x'.repeat(900_000);
    const keys = [1, 2, 3, 4, 5, 6].map((id) => keyOf('Task', id));
    const big = keys.map((key) => ({ key, properties: { text: { stringValue: text, excludeFromIndexes: true } } }));
    for (const entity of big) await commit({ upsert: entity });
    const { found, deferred } = await client.call<{ found: readonly Plain[]; deferred: readonly Plain[] }>('Lookup', { keys });
    expect([found.length > 0, deferred.length > 0, found.length + deferred.length]).toEqual([true, true, keys.length]);
    expect(await client.call('Lookup', { keys: deferred })).toMatchObject({ found: { length: deferred.length } });
  });

  it('says what index a query needs', async () => {
    const filter = { propertyFilter: { property: { name: 'a' }, op: 'EQUAL', value: { integerValue: 1 } } };
    const order = [{ property: { name: 'b' }, direction: 'DESCENDING' }];
    const query = { kind: [{ name: 'Task' }], filter, order };
    expect(await client.refusal('RunQuery', { query })).toBe(
      'FAILED_PRECONDITION no matching index found. recommended index is:\n- kind: Task\n  properties:\n  - name: a\n  - name: b\n    direction: desc\n',
    );
    expect(await client.refusal('RunQuery', { query, explainOptions: {} })).toContain('FAILED_PRECONDITION no matching index found');
  });

  it('passes each call through its guard', async () => {
    const seen: string[] = [];
    const guard: CallGuard = {
      around: (appId, method, call) => {
        seen.push(`${appId} ${method}`);
        return call();
      },
      entitiesRead: (_appId, entities) => seen.push(`read ${entities}`),
      checkGrowth: () => seen.push('grows'),
    };
    const guarded = new V1Client(new DatastoreV1Service(() => datastore, guard));
    const mutations = [{ upsert: entityOf(keyOf('Task', 1)) }];
    await guarded.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations });
    await guarded.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ delete: keyOf('Task', 2) }] });
    await guarded.call('Lookup', { keys: [keyOf('Task', 1), keyOf('Task', 2)] });
    await guarded.call('RunQuery', { query: { kind: [{ name: 'Task' }], offset: 1 } });
    const app = PROJECT;
    expect(seen).toEqual([`${app} Commit`, 'grows', `${app} Commit`, `${app} Lookup`, 'read 2', `${app} RunQuery`, 'read 1']);
  });

  it('asks nobody for more when the guard refuses', async () => {
    const refuse = (): never => {
      throw new PlatformError('QUOTA_EXCEEDED');
    };
    const guard: CallGuard = { around: (_appId, _method, call) => call(), entitiesRead: () => undefined, checkGrowth: refuse };
    const guarded = new V1Client(new DatastoreV1Service(() => datastore, guard));
    expect(await guarded.refusal('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entityOf(keyOf('Task', 1)) }] })).toContain(
      'RESOURCE_EXHAUSTED',
    );
    expect(await client.call('Lookup', { keys: [keyOf('Task', 1)] })).not.toHaveProperty('found');
  });

  it('tells nobody what failed within', async () => {
    const broken = new V1Client(
      new DatastoreV1Service(() => {
        throw new TypeError('secret');
      }),
    );
    expect(await broken.refusal('Lookup', { keys: [keyOf('Task', 1)] })).toBe('INTERNAL Something in the platform failed');
  });
});
