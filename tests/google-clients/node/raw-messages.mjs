// What the library has no words for, by the generated client below it: conflict detection, masks, transforms, read times, GQL,
// reserved ids, and fields that are refused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE, assertRefused, datastore, projectId, rawClient, uniqueName } from './client.mjs';

const integer = (value) => ({ integerValue: String(value) });
const keyOf = (kind, name = 'sample') => ({ path: [{ kind, name }] });
const lookup = async (key, request = {}) => (await rawClient.lookup({ projectId, keys: [key], ...request }))[0];
const write = async (...mutations) => (await rawClient.commit({ projectId, mode: 'NON_TRANSACTIONAL', mutations }))[0].mutationResults;

async function stored(properties) {
  const key = keyOf(uniqueName('Raw'));
  const [{ version, updateTime }] = await write({ upsert: { key, properties } });
  return { key, version, updateTime };
}

const integers = (properties) => Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, value.integerValue]));
const propertiesOf = async (key) => (await lookup(key)).found[0].entity.properties;

describe('conflict detection', () => {
  it('writes where the version is the expected one', async () => {
    const { key, version } = await stored({ x: integer(1) });
    const [result] = await write({ update: { key, properties: { x: integer(2) } }, baseVersion: version });
    assert.equal(result.conflictDetected, false);
    assert.ok(BigInt(result.version) > BigInt(version));
    assert.deepEqual(integers(await propertiesOf(key)), { x: '2' });
  });

  it('skips the write where it is another, and says which is stored', async () => {
    const { key, version } = await stored({ x: integer(1) });
    const [{ version: current }] = await write({ upsert: { key, properties: { x: integer(2) } } });
    const other = keyOf(key.path[0].kind, 'other');
    const [skipped, done] = await write(
      { upsert: { key, properties: { x: integer(3) } }, baseVersion: version },
      { upsert: { key: other, properties: { x: integer(4) } } },
    );
    assert.deepEqual([skipped.conflictDetected, skipped.version, done.conflictDetected], [true, current, false]);
    assert.deepEqual(integers(await propertiesOf(key)), { x: '2' });
    assert.deepEqual(integers(await propertiesOf(other)), { x: '4' });
  });

  it('fails the commit with ABORTED where that is asked', async () => {
    const { key, version } = await stored({ x: integer(1) });
    await write({ upsert: { key, properties: { x: integer(2) } } });
    const mutation = { upsert: { key, properties: { x: integer(3) } }, baseVersion: version, conflictResolutionStrategy: 'FAIL' };
    await assertRefused(write(mutation), CODE.ABORTED, /./);
    assert.deepEqual(integers(await propertiesOf(key)), { x: '2' });
  });

  it('compares update times alike', async () => {
    const { key, updateTime } = await stored({ x: integer(1) });
    const [{ updateTime: later }] = await write({ upsert: { key, properties: { x: integer(2) } }, updateTime });
    const [skipped] = await write({ delete: key, updateTime });
    assert.equal(skipped.conflictDetected, true);
    assert.deepEqual({ ...skipped.updateTime }, { ...later });
    assert.equal((await lookup(key)).found.length, 1);
    const [done] = await write({ delete: key, updateTime: later });
    assert.equal(done.conflictDetected, false);
    assert.equal((await lookup(key)).found.length, 0);
  });

  it('answers the version of what is there and of what is not', async () => {
    const { key, version, updateTime } = await stored({ x: integer(1) });
    const response = await lookup(key);
    assert.equal(response.found[0].version, version);
    assert.deepEqual({ ...response.found[0].updateTime }, { ...updateTime });
    const { missing } = await lookup(keyOf(key.path[0].kind, 'missing'));
    assert.equal(missing.length, 1);
    assert.ok(BigInt(missing[0].version) >= BigInt(version));
    assert.deepEqual(missing[0].entity.properties, {});
  });
});

describe('property masks', () => {
  it('reads only what is named, and the key', async () => {
    const { key } = await stored({
      a: integer(1),
      b: integer(2),
      'dotted.name': integer(3),
      nested: { entityValue: { properties: { c: integer(4), d: integer(5) } } },
    });
    const masked = async (...paths) => (await lookup(key, { propertyMask: { paths } })).found[0].entity;
    assert.deepEqual(integers((await masked('a')).properties), { a: '1' });
    assert.equal((await masked('a')).key.path[0].name, 'sample');
    assert.deepEqual(Object.keys((await masked('nested.c')).properties.nested.entityValue.properties), ['c']);
    assert.deepEqual(integers((await masked('dotted\\.name')).properties), { 'dotted.name': '3' });
    const [{ batch }] = await rawClient.runQuery({
      projectId,
      query: { kind: [{ name: key.path[0].kind }] },
      propertyMask: { paths: ['b'] },
    });
    assert.deepEqual(integers(batch.entityResults[0].entity.properties), { b: '2' });
  });

  it('writes only what is named, and deletes what is named and absent', async () => {
    const { key } = await stored({ a: integer(1), b: integer(1), c: integer(1) });
    await write({ update: { key, properties: { a: integer(2), c: integer(2) } }, propertyMask: { paths: ['a', 'b'] } });
    assert.deepEqual(integers(await propertiesOf(key)), { a: '2', c: '1' });
  });

  it('refuses a reserved name', async () => {
    const { key } = await stored({ a: integer(1) });
    const mutation = { update: { key, properties: {} }, propertyMask: { paths: ['__mine__'] } };
    await assertRefused(write(mutation), CODE.INVALID_ARGUMENT, /__mine__/);
  });
});

describe('property transforms', () => {
  const transformed = async (properties, ...propertyTransforms) => {
    const { key } = await stored(properties);
    const [result] = await write({ upsert: { key, properties }, propertyTransforms });
    return { properties: await propertiesOf(key), results: result.transformResults };
  };

  it('increments, stays within 64 bits, and begins with the operand', async () => {
    const { properties, results } = await transformed(
      { n: integer(5), top: integer('9223372036854775807'), text: { stringValue: 'x' } },
      { property: 'n', increment: integer(2) },
      { property: 'n', increment: integer(-10) },
      { property: 'top', increment: integer(1) },
      { property: 'text', increment: integer(3) },
      { property: 'fresh', increment: { doubleValue: 1.5 } },
    );
    assert.deepEqual(
      [properties.n, properties.top, properties.text].map((value) => value.integerValue),
      ['-3', '9223372036854775807', '3'],
    );
    assert.equal(properties.fresh.doubleValue, 1.5);
    assert.deepEqual(
      results.map((value) => value.integerValue ?? value.doubleValue),
      ['7', '-3', '9223372036854775807', '3', 1.5],
    );
  });

  it('keeps the greater and the lesser', async () => {
    const { properties } = await transformed(
      { most: integer(5), least: integer(5), equal: integer(3) },
      { property: 'most', maximum: { doubleValue: 5.5 } },
      { property: 'least', minimum: integer(7) },
      { property: 'equal', maximum: { doubleValue: 3 } },
    );
    assert.equal(properties.most.doubleValue, 5.5);
    assert.equal(properties.least.integerValue, '5');
    assert.equal(properties.equal.integerValue, '3');
  });

  it('adds to arrays and takes from them', async () => {
    const { properties } = await transformed(
      { list: { arrayValue: { values: [integer(1), integer(2), integer(1)] } }, scalar: integer(1) },
      { property: 'list', appendMissingElements: { values: [{ doubleValue: 2 }, integer(3)] } },
      { property: 'list', removeAllFromArray: { values: [integer(1)] } },
      { property: 'scalar', appendMissingElements: { values: [integer(9)] } },
    );
    assert.deepEqual(
      properties.list.arrayValue.values.map((value) => value.integerValue),
      ['2', '3'],
    );
    assert.deepEqual(
      properties.scalar.arrayValue.values.map((value) => value.integerValue),
      ['9'],
    );
  });

  it('sets one time of the request, in milliseconds', async () => {
    const { properties } = await transformed(
      {},
      { property: 'a', setToServerValue: 'REQUEST_TIME' },
      { property: 'b', setToServerValue: 'REQUEST_TIME' },
    );
    const { seconds, nanos } = properties.a.timestampValue;
    assert.ok(Math.abs(Number(seconds) * 1000 - Date.now()) < 600_000);
    assert.equal(nanos % 1_000_000, 0);
    assert.deepEqual({ ...properties.b.timestampValue }, { seconds, nanos });
  });

  it('transforms in a transaction', async () => {
    const { key } = await stored({ n: integer(1) });
    const [{ transaction }] = await rawClient.beginTransaction({ projectId });
    const mutation = {
      update: { key, properties: {} },
      propertyMask: { paths: [] },
      propertyTransforms: [{ property: 'n', increment: integer(1) }],
    };
    await rawClient.commit({ projectId, mode: 'TRANSACTIONAL', transaction, mutations: [mutation] });
    assert.deepEqual(integers(await propertiesOf(key)), { n: '2' });
  });
});

describe('read times', () => {
  it('reads a moment of the past again and again', async () => {
    const { key } = await stored({ x: integer(1) });
    const { readTime } = await lookup(key);
    await write({ upsert: { key, properties: { x: integer(2) } } });
    const then = await lookup(key, { readOptions: { readTime } });
    assert.deepEqual(integers(then.found[0].entity.properties), { x: '1' });
    assert.deepEqual({ ...then.readTime }, { ...readTime });
    const query = { kind: [{ name: key.path[0].kind }] };
    const [{ batch }] = await rawClient.runQuery({ projectId, query, readOptions: { readTime } });
    assert.deepEqual(integers(batch.entityResults[0].entity.properties), { x: '1' });
    const aggregationQuery = { nestedQuery: query, aggregations: [{ alias: 'sum', sum: { property: { name: 'x' } } }] };
    const [sums] = await rawClient.runAggregationQuery({ projectId, aggregationQuery, readOptions: { readTime } });
    assert.equal(sums.batch.aggregationResults[0].aggregateProperties.sum.integerValue, '1');
  });

  it('is what the library gives in milliseconds, to the second', async () => {
    const kind = uniqueName('Raw');
    await datastore.save({ key: datastore.key([kind, 'sample']), data: {} });
    const [entity] = await datastore.get(datastore.key([kind, 'sample']), { readTime: Date.now() - 60_000 });
    assert.equal(entity, undefined);
  });

  it('refuses the future', async () => {
    const { key } = await stored({ x: integer(1) });
    const future = { seconds: Math.floor(Date.now() / 1000) + 3600 };
    await assertRefused(lookup(key, { readOptions: { readTime: future } }), CODE.INVALID_ARGUMENT, /./);
  });

  it('takes either consistency', async () => {
    const { key } = await stored({ x: integer(1) });
    for (const readConsistency of ['STRONG', 'EVENTUAL']) {
      const response = await lookup(key, { readOptions: { readConsistency } });
      assert.equal(response.found.length, 1);
    }
    const [entity] = await datastore.get(datastore.key([key.path[0].kind, 'sample']), { consistency: 'eventual' });
    assert.equal(entity.x, 1);
  });

  it('begins a transaction with a read', async () => {
    const { key } = await stored({ x: integer(1) });
    const response = await lookup(key, { readOptions: { newTransaction: { readWrite: {} } } });
    assert.ok(response.transaction.length > 0);
    const mutations = [{ update: { key, properties: { x: integer(2) } } }];
    await rawClient.commit({ projectId, mode: 'TRANSACTIONAL', transaction: response.transaction, mutations });
    assert.deepEqual(integers(await propertiesOf(key)), { x: '2' });
  });
});

describe('GQL', () => {
  const gql = async (queryString, request = {}) => (await rawClient.runQuery({ projectId, gqlQuery: { queryString, ...request } }))[0];

  it('runs a statement with bindings, and answers what it was read as', async () => {
    const { key } = await stored({ x: integer(5) });
    const kind = key.path[0].kind;
    const named = await gql(`SELECT * FROM ${kind} WHERE x > @least LIMIT @most`, {
      namedBindings: { least: { value: integer(4) }, most: { value: integer(1) } },
    });
    assert.equal(named.batch.entityResults.length, 1);
    assert.equal(named.query.kind[0].name, kind);
    assert.equal(named.query.limit.value, 1);
    const positional = await gql(`SELECT __key__ FROM ${kind} WHERE x = @1`, { positionalBindings: [{ value: integer(5) }] });
    assert.equal(positional.batch.entityResultType, 'KEY_ONLY');
    const literal = await gql(`SELECT * FROM ${kind} WHERE x = 5`, { allowLiterals: true });
    assert.equal(literal.batch.entityResults.length, 1);
  });

  it('aggregates', async () => {
    const { key } = await stored({ x: integer(5) });
    const gqlQuery = { queryString: `SELECT COUNT(*) AS total, SUM(x) AS points FROM ${key.path[0].kind}`, allowLiterals: true };
    const [{ batch }] = await rawClient.runAggregationQuery({ projectId, gqlQuery });
    const { total, points } = batch.aggregationResults[0].aggregateProperties;
    assert.deepEqual([total.integerValue, points.integerValue], ['1', '5']);
  });

  it('refuses literals, bad syntax and missing bindings', async () => {
    await assertRefused(gql('SELECT * FROM Task WHERE x = 5'), CODE.INVALID_ARGUMENT, /literal/i);
    await assertRefused(gql('SELECT * FORM Task'), CODE.INVALID_ARGUMENT, /./);
    await assertRefused(gql('SELECT * FROM Task WHERE x = @missing'), CODE.INVALID_ARGUMENT, /missing/);
  });
});

describe('other messages', () => {
  it('reserves ids, which are given to nobody after', async () => {
    const kind = uniqueName('Raw');
    await rawClient.reserveIds({ projectId, keys: [{ path: [{ kind, id: '12345' }] }] });
    const [{ keys }] = await rawClient.allocateIds({ projectId, keys: Array.from({ length: 10 }, () => ({ path: [{ kind }] })) });
    assert.ok(keys.every((key) => key.path[0].id !== '12345'));
    await assertRefused(rawClient.reserveIds({ projectId, keys: [{ path: [{ kind }] }] }), CODE.INVALID_ARGUMENT, /incomplete/);
    await assertRefused(rawClient.allocateIds({ projectId, keys: [keyOf(kind)] }), CODE.INVALID_ARGUMENT, /complete/);
  });

  it('refuses a mutation of nothing, a filter without operator, and a search by vector', async () => {
    await assertRefused(write({}), CODE.INVALID_ARGUMENT, /mutation lacks required op|operation/i);
    const query = (rest) => rawClient.runQuery({ projectId, query: { kind: [{ name: 'Task' }], ...rest } });
    const property = { name: 'x' };
    await assertRefused(query({ filter: { propertyFilter: { property, value: integer(1) } } }), CODE.INVALID_ARGUMENT, /operator/);
    await assertRefused(query({ filter: { compositeFilter: { filters: [] } } }), CODE.INVALID_ARGUMENT, /./);
    const findNearest = {
      vectorProperty: property,
      queryVector: { arrayValue: { values: [{ doubleValue: 1 }] } },
      distanceMeasure: 'EUCLIDEAN',
      limit: { value: 1 },
    };
    await assertRefused(query({ findNearest }), CODE.INVALID_ARGUMENT, /find_?nearest/i);
  });

  it('refuses keys of another project', async () => {
    const key = { partitionId: { projectId: 'somebody-else' }, ...keyOf('Task') };
    await assert.rejects(lookup(key), (error) => [CODE.INVALID_ARGUMENT, CODE.PERMISSION_DENIED].includes(error.code));
  });
});
