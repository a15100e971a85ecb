// Namespaces, named databases, and the kinds that tell what is stored.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  CODE,
  Datastore,
  PropertyFilter,
  and,
  assertRefused,
  datastore,
  found,
  keyNames,
  projectId,
  rawClient,
  seed,
  uniqueName,
} from './client.mjs';

describe('namespaces', () => {
  const namespace = uniqueName('space');
  const inside = new Datastore({ projectId, namespace });
  after(async () => {
    for (const client of inside.clients_.values()) await client.close();
  });

  it('keeps equal keys of two namespaces apart', async () => {
    const kind = uniqueName('Task');
    await datastore.save({ key: datastore.key([kind, 'a']), data: { where: 'default' } });
    await inside.save({ key: inside.key([kind, 'a']), data: { where: 'inside' } });
    assert.equal((await datastore.get(datastore.key([kind, 'a'])))[0].where, 'default');
    const [entity] = await datastore.get(datastore.key({ namespace, path: [kind, 'a'] }));
    assert.equal(entity.where, 'inside');
    assert.equal(entity[Datastore.KEY].namespace, namespace);
    assert.deepEqual(await found(inside.createQuery(kind)), ['a']);
    const [[outside]] = await datastore.createQuery(kind).run();
    assert.equal(outside.where, 'default');
    const [[named]] = await datastore.createQuery(namespace, kind).run();
    assert.equal(named.where, 'inside');
  });

  it('writes two namespaces in one transaction', async () => {
    const kind = uniqueName('Task');
    const keys = [datastore.key([kind, 'a']), datastore.key({ namespace, path: [kind, 'a'] })];
    const transaction = datastore.transaction();
    await transaction.run();
    transaction.save(keys.map((key) => ({ key, data: { done: true } })));
    await transaction.commit();
    const [entities] = await datastore.get(keys);
    assert.equal(entities.length, 2);
  });

  it('aggregates and deletes in one only', async () => {
    const kind = await seed('Task', { a: {}, b: {} }, inside);
    const count = async (store) => (await store.createAggregationQuery(store.createQuery(kind)).count('total').run())[0][0].total;
    assert.deepEqual([await count(inside), await count(datastore)], [2, 0]);
    await datastore.delete(datastore.key([kind, 'a']));
    assert.equal(await count(inside), 2);
  });
});

describe('named databases', () => {
  const named = new Datastore({ projectId, databaseId: 'client-tests' });
  after(async () => {
    for (const client of named.clients_.values()) await client.close();
  });

  it('keeps equal keys of two databases apart', async () => {
    const kind = uniqueName('Task');
    const key = () => datastore.key([kind, 'a']);
    await datastore.save({ key: key(), data: { where: 'default' } });
    assert.equal((await named.get(key()))[0], undefined);
    await named.save({ key: key(), data: { where: 'named' } });
    assert.equal((await datastore.get(key()))[0].where, 'default');
    assert.equal((await named.get(key()))[0].where, 'named');
    const [[entity]] = await named.createQuery(kind).filter('where', 'named').run();
    assert.equal(entity.where, 'named');
    assert.deepEqual(await found(datastore.createQuery(kind).filter('where', 'named')), []);
    await named.delete(key());
    assert.equal((await datastore.get(key()))[0].where, 'default');
  });

  it('runs transactions, aggregations and ids in a database of its own', async () => {
    const kind = uniqueName('Task');
    const fresh = named.key(kind);
    const transaction = named.transaction();
    const [none] = await transaction.get(named.key([kind, 'a']));
    assert.equal(none, undefined);
    transaction.save([
      { key: named.key([kind, 'a']), data: { x: 1 } },
      { key: fresh, data: { x: 2 } },
    ]);
    await transaction.commit();
    assert.ok(fresh.id);
    const [[sum]] = await named.createAggregationQuery(named.createQuery(kind)).sum('x', 'sum').run();
    assert.equal(sum.sum, 3);
    assert.equal((await found(datastore.createQuery(kind))).length, 0);
    const [ids] = await named.allocateIds(named.key(kind), 2);
    assert.equal(ids.length, 2);
  });

  it('names its database in the keys that it answers, and refuses keys of another', async () => {
    const kind = uniqueName('Task');
    await named.save({ key: named.key([kind, 'a']), data: {} });
    const path = [{ kind, name: 'a' }];
    const [response] = await rawClient.lookup({ projectId, databaseId: 'client-tests', keys: [{ path }] });
    assert.deepEqual({ ...response.found[0].entity.key.partitionId }, { projectId, databaseId: 'client-tests', namespaceId: '' });
    const mixed = rawClient.lookup({
      projectId,
      databaseId: 'client-tests',
      keys: [{ partitionId: { projectId, databaseId: 'another' }, path }],
    });
    await assertRefused(mixed, CODE.INVALID_ARGUMENT, /mismatched databases within request/);
    await assertRefused(rawClient.lookup({ projectId, databaseId: '(default)', keys: [{ path }] }), CODE.INVALID_ARGUMENT, /./);
  });

  it('refuses a transaction of another database', async () => {
    const kind = uniqueName('Task');
    const [{ transaction }] = await rawClient.beginTransaction({ projectId, databaseId: 'client-tests' });
    const lookup = rawClient.lookup({ projectId, keys: [{ path: [{ kind, name: 'a' }] }], readOptions: { transaction } });
    await assertRefused(lookup, CODE.INVALID_ARGUMENT, /./);
    await rawClient.rollback({ projectId, databaseId: 'client-tests', transaction });
  });
});

describe('metadata', () => {
  const namespace = uniqueName('meta');
  const inside = new Datastore({ projectId, namespace });
  before(() =>
    inside.save([
      { key: inside.key(['Animal', 'cat']), data: { legs: 4, name: 'Tom', home: { city: 'Rome' } } },
      { key: inside.key(['Animal', 'bird']), data: { legs: 2.5, weight: 1.5, secret: 'x' }, excludeFromIndexes: ['secret'] },
      { key: inside.key(['Plant', 'oak']), data: { planted: new Date(1), tall: true, near: inside.key(['Animal', 'cat']) } },
    ]),
  );
  after(async () => {
    for (const client of inside.clients_.values()) await client.close();
  });
  const kindKey = (kind) => inside.key(['__kind__', kind]);

  it('lists namespaces', async () => {
    const namespaces = (await found(datastore.createQuery('__namespace__').select('__key__'))).map(String);
    assert.ok(namespaces.includes(namespace));
    assert.ok(namespaces.includes('1') || !(await found(datastore.createQuery().limit(1))).length, 'the default namespace is number 1');
    const key = datastore.key(['__namespace__', namespace]);
    const only = and([new PropertyFilter('__key__', '>=', key), new PropertyFilter('__key__', '<=', key)]);
    assert.deepEqual(await found(datastore.createQuery('__namespace__').filter(only)), [namespace]);
  });

  it('lists the kinds of one namespace', async () => {
    assert.deepEqual(await found(inside.createQuery('__kind__').select('__key__')), ['Animal', 'Plant']);
    assert.deepEqual(await found(inside.createQuery('__kind__').filter('__key__', '>', kindKey('Animal'))), ['Plant']);
  });

  it('lists indexed properties, and in what forms they are stored', async () => {
    const [entities] = await inside.createQuery('__property__').hasAncestor(kindKey('Animal')).run();
    const forms = Object.fromEntries(entities.map((entity) => [entity[Datastore.KEY].name, [...entity.property_representation].sort()]));
    assert.deepEqual(forms, { 'home.city': ['STRING'], legs: ['DOUBLE', 'INT64'], name: ['STRING'], weight: ['DOUBLE'] });
    const [plant] = await inside.createQuery('__property__').hasAncestor(kindKey('Plant')).run();
    const plantForms = Object.fromEntries(plant.map((entity) => [entity[Datastore.KEY].name, entity.property_representation]));
    assert.deepEqual(plantForms, { near: ['REFERENCE'], planted: ['INT64'], tall: ['BOOLEAN'] });
    assert.equal(keyNames(entities).includes('secret'), false);
  });

  it('refuses to write them', () =>
    assertRefused(datastore.save({ key: datastore.key(['__kind__', 'Mine']), data: {} }), CODE.INVALID_ARGUMENT, /reserved/));
});
