// What a query is told that needs a composite index which is not defined. For a server that requires them:
//   npx appengine emulator datastore --ephemeral --require-indexes --exec "node --test …/required-indexes.test.mjs"
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CODE, PropertyFilter, and, assertRefused, closeClients, datastore, found, seed } from './client.mjs';

// A server that makes indexes by itself, or that has answered this before, needs none.
const needsIndex = await datastore
  .createQuery('Probe')
  .filter(new PropertyFilter('a', '=', 1))
  .order('b')
  .run()
  .then(
    () => false,
    ({ code }) => code === CODE.FAILED_PRECONDITION,
  );
const skip = needsIndex ? false : 'SKIPPED: this server answers queries without their index. Start it with --require-indexes';
if (skip) {
  console.error(skip);
  after(closeClients);
}

describe('required indexes', { skip }, () => {
  let kind;
  before(async () => {
    kind = await seed('Indexed', { a: { x: 1, y: 2, z: 3 }, b: { x: 2, y: 1, z: 3 } });
  });
  after(closeClients);
  const lines = (properties, ancestor = '') =>
    `no matching index found. recommended index is:\n- kind: ${kind}\n${ancestor}  properties:\n${properties}`;
  const refused = (query, text) =>
    assert.rejects(query.run(), (error) => {
      assert.equal(error.code, CODE.FAILED_PRECONDITION);
      assert.ok(error.message.includes(text), `${error.message}\nis not\n${text}`);
      return true;
    });

  it('serves what the built-in indexes serve', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).filter(new PropertyFilter('x', '>', 1))), ['b']);
    assert.deepEqual(
      await found(datastore.createQuery(kind).filter(and([new PropertyFilter('x', '=', 1), new PropertyFilter('y', '=', 2)]))),
      ['a'],
    );
    assert.deepEqual(await found(datastore.createQuery(kind).order('y', { descending: true })), ['a', 'b']);
  });

  it('refuses two orders with the lines for index.yaml', () =>
    refused(
      datastore.createQuery(kind).order('x').order('y', { descending: true }),
      lines('  - name: x\n  - name: y\n    direction: desc\n'),
    ));

  it('refuses an equality with an order', () =>
    refused(
      datastore
        .createQuery(kind)
        .filter(new PropertyFilter('z', '=', 3))
        .order('x'),
      lines('  - name: z\n  - name: x\n'),
    ));

  it('refuses an order below an ancestor', () =>
    refused(
      datastore
        .createQuery(kind)
        .hasAncestor(datastore.key(['List', 1]))
        .order('x'),
      lines('  - name: x\n', '  ancestor: yes\n'),
    ));

  it('refuses an aggregation that needs one', async () => {
    const query = datastore.createAggregationQuery(datastore.createQuery(kind).filter(new PropertyFilter('z', '=', 3))).sum('x', 'sum');
    await assertRefused(query.run(), CODE.FAILED_PRECONDITION, /no matching index found/);
  });
});
