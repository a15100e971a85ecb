import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Datastore } from '../../datastore.ts';
import { openDatastore } from '../../fixture.ts';
import { entityOf, keyOf, type Plain, PROJECT, V1Client } from './v1-fixture.ts';
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
});
