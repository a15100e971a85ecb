// Count, sum and average.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { AggregateField, CODE, PropertyFilter, assertRefused, datastore, projectId, rawClient, seed } from './client.mjs';

describe('aggregations', () => {
  let kind;
  before(async () => {
    kind = await seed('Score', {
      a: { points: 10, weight: 0.5, tags: ['x', 'y'] },
      b: { points: 20, weight: 1.5, tags: ['x'] },
      c: { points: 30, weight: 2.5 },
      d: { points: 'many', weight: 4 },
      e: {},
    });
  });
  const all = () => datastore.createQuery(kind);
  const aggregate = async (query) => (await query.run())[0][0];

  it('counts', async () => {
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all()).count('total')), { total: 5 });
    const filtered = all()
      .filter(new PropertyFilter('points', '>=', 20))
      .filter(new PropertyFilter('points', '<=', 30));
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(filtered).count('total')), { total: 2 });
    const nothing = all().filter(new PropertyFilter('points', '=', 99));
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(nothing).count('total')), { total: 0 });
  });

  it('counts within limit and offset, and up to a bound', async () => {
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all().limit(3)).count('total')), { total: 3 });
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all().offset(4)).count('total')), { total: 1 });
    const upTo = async (value) => {
      const [{ batch }] = await rawClient.runAggregationQuery({
        projectId,
        aggregationQuery: { nestedQuery: { kind: [{ name: kind }] }, aggregations: [{ alias: 'total', count: { upTo: { value } } }] },
      });
      assert.equal(batch.moreResults, 'NO_MORE_RESULTS');
      assert.ok(Number(batch.readTime.seconds) > 0);
      return batch.aggregationResults[0].aggregateProperties.total.integerValue;
    };
    assert.equal(await upTo(3), '3');
    assert.equal(await upTo(300), '5');
    await assertRefused(upTo(-1), CODE.INVALID_ARGUMENT, /./);
  });

  it('sums and averages numbers only', async () => {
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all()).sum('points', 'sum')), { sum: 60 });
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all()).average('points', 'avg')), { avg: 20 });
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(all()).sum('weight', 'sum')), { sum: 8.5 });
  });

  it('sums nothing to 0 and averages nothing to null', async () => {
    const nothing = all().filter('points', 99);
    const query = datastore.createAggregationQuery(nothing).sum('points', 'sum').average('points', 'avg');
    assert.deepEqual(await aggregate(query), { sum: 0, avg: null });
  });

  it('does several at once, over entities that have every property', async () => {
    const query = datastore
      .createAggregationQuery(all())
      .addAggregations([
        AggregateField.count().alias('total'),
        AggregateField.sum('points').alias('points'),
        AggregateField.average('weight').alias('weight'),
      ]);
    assert.deepEqual(await aggregate(query), { total: 4, points: 60, weight: 2.125 });
  });

  it('names results that have no alias', async () => {
    const query = datastore.createAggregationQuery(all()).count().addAggregation(AggregateField.count());
    assert.deepEqual(await aggregate(query), { property_1: 5, property_2: 5 });
  });

  it('keeps an integer sum that fits, and makes a double of one that does not', async () => {
    const big = await seed('Big', { a: { x: datastore.int('9223372036854775806') }, b: { x: 1 } });
    const sum = async () => {
      const [{ batch }] = await rawClient.runAggregationQuery({
        projectId,
        aggregationQuery: { nestedQuery: { kind: [{ name: big }] }, aggregations: [{ alias: 'sum', sum: { property: { name: 'x' } } }] },
      });
      return batch.aggregationResults[0].aggregateProperties.sum;
    };
    assert.equal((await sum()).integerValue, '9223372036854775807');
    await datastore.save({ key: datastore.key([big, 'c']), data: { x: 1 } });
    assert.equal((await sum()).doubleValue, 9223372036854775808);
  });

  it('counts each element of an array that a filter finds', async () => {
    const tagged = all().filter(new PropertyFilter('tags', '>=', 'x'));
    assert.deepEqual(await aggregate(datastore.createAggregationQuery(tagged).count('total')), { total: 3 });
  });

  it('refuses more than five, an alias twice, and sums of keys', async () => {
    const many = datastore.createAggregationQuery(all());
    for (let index = 0; index < 6; index += 1) many.count(`count${index}`);
    await assertRefused(
      many.run(),
      CODE.INVALID_ARGUMENT,
      /maximum number of aggregations allowed in an aggregation query is 5. Received: 6/,
    );
    await assertRefused(datastore.createAggregationQuery(all()).count('a').sum('points', 'a').run(), CODE.INVALID_ARGUMENT, /alias/i);
    await assertRefused(
      datastore.createAggregationQuery(all()).sum('__key__', 'a').run(),
      CODE.INVALID_ARGUMENT,
      /Aggregations are not supported for the property: __key__/,
    );
    await assertRefused(datastore.createAggregationQuery(all()).run(), CODE.INVALID_ARGUMENT, /./);
  });
});
