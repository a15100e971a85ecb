// Two clients of one server: what is written over HTTP with JSON is read over gRPC.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { CODE, Datastore, PropertyFilter, datastore, found, projectId, restOptions, uniqueName } from './client.mjs';

describe('the client over REST', () => {
  const rest = new Datastore({ projectId, ...restOptions });
  after(async () => {
    for (const client of rest.clients_.values()) await client.close();
  });

  it('saves, gets, queries, aggregates and deletes', async () => {
    const kind = uniqueName('Rest');
    const key = rest.key([kind, 'sample']);
    const data = {
      text: 'é',
      big: rest.int('9007199254740993'),
      double: 1.5,
      infinite: Infinity,
      none: null,
      at: new Date('2024-02-29T12:34:56.789Z'),
      bytes: Buffer.from([0, 255, 128]),
      place: rest.geoPoint({ latitude: 1, longitude: 2 }),
      list: [1, 'one'],
      nested: { a: { b: true } },
    };
    await rest.save({ key, data });
    const [entity] = await rest.get(key, { wrapNumbers: { integerTypeCastFunction: BigInt, properties: ['big'] } });
    assert.equal(entity.big, 9007199254740993n);
    assert.deepEqual(
      [entity.text, entity.double, entity.infinite, entity.none, entity.bytes, entity.list, entity.nested],
      [data.text, data.double, data.infinite, null, data.bytes, data.list, data.nested],
    );
    assert.equal(entity.at.getTime(), data.at.getTime());
    const [overGrpc] = await datastore.get(key, { wrapNumbers: true });
    assert.deepEqual([overGrpc.text, overGrpc.bytes, overGrpc.at], [data.text, data.bytes, data.at]);
    assert.deepEqual(await found(rest.createQuery(kind).filter(new PropertyFilter('double', '>', 1)), { wrapNumbers: true }), ['sample']);
    const [[count]] = await rest.createAggregationQuery(rest.createQuery(kind)).count('total').run();
    assert.equal(count.total, 1);
    const [, info] = await rest.createQuery(kind).limit(1).run({ wrapNumbers: true });
    assert.equal(info.moreResults, 'MORE_RESULTS_AFTER_LIMIT');
    await rest.delete(key);
    assert.equal((await rest.get(key))[0], undefined);
  });

  it('gives ids and runs transactions', async () => {
    const kind = uniqueName('Rest');
    const key = rest.key(kind);
    const transaction = rest.transaction();
    await transaction.run();
    transaction.save({ key, data: { x: 1 } });
    await transaction.commit();
    assert.match(String(key.id), /^\d+$/);
    const [ids] = await rest.allocateIds(rest.key(kind), 2);
    assert.equal(ids.length, 2);
  });

  it('says why a call is refused', async () => {
    const key = rest.key([uniqueName('Rest'), 'sample']);
    await assert.rejects(rest.update({ key, data: {} }), (error) => {
      assert.equal(error.code, CODE.NOT_FOUND);
      assert.match(error.message, /no entity to update/);
      return true;
    });
    await rest.insert({ key, data: {} });
    await assert.rejects(rest.insert({ key, data: {} }), /already exists/);
    await assert.rejects(rest.save({ key, data: { text: 'x'.repeat(1501) } }), /longer than 1500 bytes/);
  });
});
