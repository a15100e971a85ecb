import { expect } from 'vitest';
import { entityOf, keyOf, type Plain } from '../v1-fixture.ts';
import { type Effect, effect, expectRefusal, propertiesOf, type World, write } from './effect.ts';

const KEY = keyOf('Task', 1);
const NON_TRANSACTIONAL = { mode: 'NON_TRANSACTIONAL' };

function commit({ client }: World, request: Plain): Promise<Plain> {
  return client.call('Commit', request);
}

async function begun({ client }: World): Promise<string> {
  return (await client.call<{ transaction: string }>('BeginTransaction', {})).transaction;
}

/** Transforms the property `n` of an entity that has 5 there, and answers what it is then. */
async function transformed(world: World, transform: Plain, before: Plain = { integerValue: 5 }): Promise<Plain | undefined> {
  await write(world, { upsert: { key: KEY, properties: { n: before } } });
  await write(world, { update: { key: KEY, properties: { n: before } }, propertyTransforms: [{ property: 'n', ...transform }] });
  return (await propertiesOf(world, KEY))?.n;
}

const integers = (...values: readonly number[]): Plain => ({ values: values.map((integerValue) => ({ integerValue })) });

export const WRITE_EFFECTS: readonly Effect[] = [
  effect(
    'commits together or one by one',
    ['CommitRequest.mode', 'CommitRequest.transaction', 'CommitRequest.singleUseTransaction'],
    async (world) => {
      const mutations = [{ upsert: entityOf(KEY) }];
      expect(await commit(world, { mode: 'TRANSACTIONAL', transaction: await begun(world), mutations })).toHaveProperty('commitTime');
      expect(await commit(world, { mode: 'TRANSACTIONAL', singleUseTransaction: {}, mutations })).toHaveProperty('commitTime');
      expect(await commit(world, { ...NON_TRANSACTIONAL, mutations })).not.toHaveProperty('commitTime');
      await expectRefusal(commit(world, { mode: 'TRANSACTIONAL', mutations }), 'Transactional commit requires a transaction.');
      await expectRefusal(commit(world, { mutations }), 'Transactional commit requires a transaction.');
      const transaction = await begun(world);
      await expectRefusal(
        commit(world, { ...NON_TRANSACTIONAL, transaction, mutations }),
        'Non-transactional commit cannot specify a transaction.',
      );
      await expectRefusal(
        commit(world, { ...NON_TRANSACTIONAL, singleUseTransaction: {}, mutations }),
        'Non-transactional commit cannot specify a transaction.',
      );
      await expectRefusal(
        commit(world, { singleUseTransaction: { readOnly: {} }, mutations }),
        'single_use_transaction must be read_write',
      );
      await expectRefusal(
        commit(world, { ...NON_TRANSACTIONAL, mutations: [...mutations, ...mutations] }),
        'may not contain multiple mutations affecting the same entity',
      );
    },
  ),

  effect(
    'writes',
    ['CommitRequest.mutations', 'Mutation.insert', 'Mutation.update', 'Mutation.upsert', 'Mutation.delete'],
    async (world) => {
      await expectRefusal(write(world, { update: entityOf(KEY, { n: 1 }) }), 'no entity to update');
      const [inserted] = await write(world, { insert: entityOf(KEY, { n: 1 }) });
      expect(inserted).toMatchObject({ version: expect.any(String) as string, createTime: {}, updateTime: {} });
      await expectRefusal(write(world, { insert: entityOf(KEY, { n: 1 }) }), 'entity already exists');
      await write(world, { update: entityOf(KEY, { n: 2 }) });
      expect(await propertiesOf(world, KEY)).toEqual({ n: { integerValue: '2' } });
      await write(world, { upsert: entityOf(KEY, { n: 3 }) });
      expect(await propertiesOf(world, KEY)).toEqual({ n: { integerValue: '3' } });
      const [deleted] = await write(world, { delete: KEY });
      expect(deleted).not.toHaveProperty('updateTime');
      expect(await propertiesOf(world, KEY)).toBeUndefined();
      await expectRefusal(write(world, {}), 'mutation lacks required op');
    },
  ),

  effect('detects conflicts', ['Mutation.baseVersion', 'Mutation.updateTime', 'Mutation.conflictResolutionStrategy'], async (world) => {
    const [first] = await write(world, { insert: entityOf(KEY, { n: 1 }) });
    const [second] = await write(world, { update: entityOf(KEY, { n: 2 }) });
    for (const [then, now] of [
      [{ baseVersion: first?.version }, { baseVersion: second?.version }],
      [{ updateTime: first?.updateTime }, { updateTime: second?.updateTime }],
    ] as const) {
      const update = entityOf(KEY, { n: 3 });
      expect(await write(world, { update, ...then })).toMatchObject([{ conflictDetected: true, version: second?.version }]);
      expect(await write(world, { update, ...then, conflictResolutionStrategy: 'SERVER_VALUE' })).toMatchObject([
        { conflictDetected: true },
      ]);
      expect(await propertiesOf(world, KEY)).toEqual({ n: { integerValue: '2' } });
      await expect(write(world, { update, ...then, conflictResolutionStrategy: 'FAIL' })).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
      const [same] = await write(world, { update: entityOf(KEY, { n: 2 }), ...now });
      expect(same).not.toHaveProperty('conflictDetected');
    }
    await expectRefusal(
      write(world, { update: entityOf(KEY), conflictResolutionStrategy: 'FAIL' }),
      'mutations[0].conflict_resolution_strategy needs a base_version or an update_time',
    );
    await expectRefusal(
      write(world, { update: entityOf(KEY), updateTime: { nanos: 1 } }),
      'mutations[0].update_time is finer than a microsecond',
    );
  }),

  effect('writes some properties', ['Mutation.propertyMask'], async (world) => {
    await write(world, { insert: entityOf(KEY, { a: 1, b: 1, c: 1 }) });
    await write(world, { update: entityOf(KEY, { a: 2, b: 2 }), propertyMask: { paths: ['a', 'c'] } });
    expect(await propertiesOf(world, KEY)).toEqual({ a: { integerValue: '2' }, b: { integerValue: '1' } });
  }),

  effect(
    'transforms',
    ['Mutation.propertyTransforms', 'PropertyTransform.property', 'PropertyTransform.setToServerValue'],
    async (world) => {
      expect(await transformed(world, { setToServerValue: 'REQUEST_TIME' })).toHaveProperty('timestampValue.seconds', '1700000000');
      const unspecified = { update: entityOf(KEY), propertyTransforms: [{ property: 'n', setToServerValue: 'SERVER_VALUE_UNSPECIFIED' }] };
      await expectRefusal(write(world, unspecified), 'mutations[0].property_transforms[0].set_to_server_value has no value 0');
      const at = 'mutations[0].property_transforms';
      const transform = { increment: { integerValue: 1 } };
      await expectRefusal(write(world, { update: entityOf(KEY), propertyTransforms: [transform] }), `${at}[0].property must be given`);
      await expectRefusal(
        write(world, { update: entityOf(KEY), propertyTransforms: [{ property: 'n' }] }),
        `${at}[0] must have a transform_type`,
      );
      await expectRefusal(
        write(world, { delete: KEY, propertyTransforms: [{ property: 'n', ...transform }] }),
        `${at} is not for a delete`,
      );
    },
  ),

  effect('counts', ['PropertyTransform.increment', 'PropertyTransform.maximum', 'PropertyTransform.minimum'], async (world) => {
    expect(await transformed(world, { increment: { integerValue: 2 } })).toEqual({ integerValue: '7' });
    expect(await transformed(world, { maximum: { integerValue: 9 } })).toEqual({ integerValue: '9' });
    expect(await transformed(world, { minimum: { integerValue: 2 } })).toEqual({ integerValue: '2' });
    const [result] = await write(world, {
      upsert: entityOf(KEY),
      propertyTransforms: [{ property: 'n', increment: { doubleValue: 1.5 } }],
    });
    expect(result).toMatchObject({ transformResults: [{ doubleValue: 1.5 }] });
    await expectRefusal(
      transformed(world, { maximum: { stringValue: 'a' } }),
      'mutations[0].property_transforms[0].maximum must be an integer or a double',
    );
  }),

  effect('changes lists', ['PropertyTransform.appendMissingElements', 'PropertyTransform.removeAllFromArray'], async (world) => {
    const before = { arrayValue: integers(1, 2, 1) };
    expect(await transformed(world, { appendMissingElements: integers(2, 3) }, before)).toMatchObject({
      arrayValue: { values: { length: 4 } },
    });
    expect(await transformed(world, { removeAllFromArray: integers(1) }, before)).toEqual({
      arrayValue: { values: [{ integerValue: '2' }] },
    });
  }),

  effect('allocates ids', ['AllocateIdsRequest.keys'], async (world) => {
    const { keys } = await world.client.call<{ keys: readonly Plain[] }>('AllocateIds', { keys: [keyOf('Task'), keyOf('Task')] });
    expect(new Set(keys.map((key) => JSON.stringify(key))).size).toBe(2);
    await expectRefusal(world.client.call('AllocateIds', { keys: [KEY] }), 'Key path element must not be complete');
  }),

  effect('reserves ids', ['ReserveIdsRequest.keys'], async (world) => {
    const { keys } = await world.client.call<{ keys: readonly { readonly path: readonly { readonly id: string }[] }[] }>('AllocateIds', {
      keys: [keyOf('Task')],
    });
    await world.client.call('ReserveIds', { keys: [keyOf('Task', Number(keys[0]?.path[0]?.id))] });
    await expectRefusal(world.client.call('ReserveIds', { keys: [keyOf('Task')] }), 'Key path element must not be incomplete');
  }),
];
