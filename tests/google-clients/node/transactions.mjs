// Transactions: what they see, what they lock, who is aborted, and how a retry succeeds.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { CODE, assertRefused, datastore, found, projectId, rawClient, seed, uniqueName } from './client.mjs';

/** A key of a kind of its own, with `data` stored under it. */
async function stored(data) {
  const key = datastore.key([uniqueName('Account'), 'sample']);
  await datastore.save({ key, data });
  return key;
}

const read = async (key) => (await datastore.get(key))[0];

/** Runs `work` in transactions until one commits, as the documentation teaches for ABORTED. */
async function inTransaction(work, attemptsMax = 50) {
  for (let attempt = 1; ; attempt += 1) {
    const transaction = datastore.transaction();
    try {
      await transaction.run();
      const result = await work(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      await transaction.rollback().catch(() => undefined);
      if (error.code !== CODE.ABORTED || attempt === attemptsMax) throw error;
      await pause(2 ** Math.min(attempt, 6) * (0.5 + Math.random()));
    }
  }
}

describe('transactions', () => {
  it('commits all or nothing', async () => {
    const key = await stored({ balance: 100 });
    const other = datastore.key([key.kind, 'other']);
    const transaction = datastore.transaction();
    await transaction.run();
    const [account] = await transaction.get(key);
    transaction.save([
      { key, data: { balance: account.balance - 30 } },
      { key: other, data: { balance: 30 } },
    ]);
    assert.equal(await read(other), undefined, 'nothing is there before the commit');
    const [response] = await transaction.commit();
    assert.equal(response.mutationResults.length, 2);
    assert.ok(Number(response.commitTime.seconds) > 0);
    assert.deepEqual([(await read(key)).balance, (await read(other)).balance], [70, 30]);

    const failing = datastore.transaction();
    await failing.run();
    failing.save({ key, data: { balance: 0 } });
    failing.insert({ key: other, data: { balance: 0 } });
    await assertRefused(failing.commit(), CODE.ALREADY_EXISTS, /already exists/);
    assert.equal((await read(key)).balance, 70);
  });

  it('writes nothing when it is rolled back', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction();
    await transaction.run();
    transaction.save({ key, data: { balance: 2 } });
    await transaction.rollback();
    assert.equal((await read(key)).balance, 1);
  });

  it('inserts, updates, upserts and deletes', async () => {
    const kind = await seed('Mixed', { updated: { turn: 1 }, deleted: { turn: 1 } });
    const key = (name) => datastore.key([kind, name]);
    const fresh = datastore.key(kind);
    const transaction = datastore.transaction();
    await transaction.run();
    transaction.insert({ key: key('inserted'), data: { turn: 2 } });
    transaction.update({ key: key('updated'), data: { turn: 2 } });
    transaction.upsert({ key: fresh, data: { turn: 2 } });
    transaction.delete(key('deleted'));
    await transaction.commit();
    assert.ok(fresh.id, 'the key got its id');
    assert.deepEqual((await found(datastore.createQuery(kind).filter('turn', 2))).map(String), [String(fresh.id), 'inserted', 'updated']);
    assert.deepEqual((await found(datastore.createQuery(kind))).length, 3);
  });

  it('does not see its own writes, but the state at its start', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction();
    await transaction.run();
    transaction.save({ key, data: { balance: 2 } });
    assert.equal((await transaction.get(key))[0].balance, 1);
    await transaction.commit();
  });

  it('queries and aggregates, with ancestor or without', async () => {
    const kind = await seed('Many', { a: { turn: 1 }, b: { turn: 1 } });
    const transaction = datastore.transaction();
    await transaction.run();
    const query = transaction.createQuery(kind).filter('turn', 1);
    assert.deepEqual(await found(query), ['a', 'b']);
    const [[count]] = await transaction.runAggregationQuery(
      transaction.createAggregationQuery(transaction.createQuery(kind)).count('total'),
    );
    assert.equal(count.total, 2);
    await transaction.commit();
  });

  it('begins with its first read when nobody ran it, and goes on with the same', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction();
    const [account] = await transaction.get(key);
    assert.ok(transaction.id, 'the first read answered a transaction');
    transaction.save({ key, data: { balance: account.balance + 1 } });
    await transaction.commit();
    assert.equal((await read(key)).balance, 2);

    const byQuery = datastore.transaction();
    await found(byQuery.createQuery(key.kind));
    assert.ok(byQuery.id);
    await byQuery.rollback();

    const byCount = datastore.transaction();
    await byCount.runAggregationQuery(byCount.createAggregationQuery(byCount.createQuery(key.kind)).count('total'));
    assert.ok(byCount.id);
    await byCount.commit();

    const writesOnly = datastore.transaction();
    writesOnly.save({ key, data: { balance: 9 } });
    await writesOnly.commit();
    assert.equal((await read(key)).balance, 9);
  });

  it('commits without a change', async () => {
    const transaction = datastore.transaction();
    await transaction.run();
    const [response] = await transaction.commit();
    assert.deepEqual(response.mutationResults, []);
  });

  it('writes in one call with a transaction of its own', async () => {
    const key = await stored({ balance: 1 });
    const path = { path: [{ kind: key.kind, name: 'sample' }] };
    const commit = (singleUseTransaction) =>
      rawClient.commit({
        projectId,
        mode: 'TRANSACTIONAL',
        singleUseTransaction,
        mutations: [{ update: { key: path, properties: { balance: { integerValue: 2 } } } }],
      });
    const [response] = await commit({ readWrite: {} });
    assert.ok(Number(response.commitTime.seconds) > 0);
    assert.equal((await read(key)).balance, 2);
    await assertRefused(commit({ readOnly: {} }), CODE.INVALID_ARGUMENT, /read.?(only|write)/i);
  });

  it('refuses a mode that does not fit', async () => {
    const commit = (request) => rawClient.commit({ projectId, mutations: [], ...request });
    await assertRefused(commit({ mode: 'TRANSACTIONAL' }), CODE.INVALID_ARGUMENT, /transactional commit requires a transaction/i);
    const [{ transaction }] = await rawClient.beginTransaction({ projectId });
    await assertRefused(commit({ mode: 'NON_TRANSACTIONAL', transaction }), CODE.INVALID_ARGUMENT, /cannot specify a transaction/);
    await rawClient.rollback({ projectId, transaction });
  });

  it('applies several writes to one entity in order, and refuses combinations without sense', async () => {
    const kind = uniqueName('Order');
    const key = { path: [{ kind, name: 'sample' }] };
    const entity = (turn) => ({ key, properties: { turn: { integerValue: turn } } });
    const commit = async (...mutations) => {
      const [{ transaction }] = await rawClient.beginTransaction({ projectId });
      return rawClient.commit({ projectId, mode: 'TRANSACTIONAL', transaction, mutations });
    };
    await commit({ insert: entity(1) }, { update: entity(2) }, { upsert: entity(3) });
    assert.equal((await read(datastore.key([kind, 'sample']))).turn, 3);
    await commit({ delete: key }, { insert: entity(4) });
    assert.equal((await read(datastore.key([kind, 'sample']))).turn, 4);
    await assertRefused(commit({ upsert: entity(5) }, { insert: entity(6) }), CODE.INVALID_ARGUMENT, /./);
    await assertRefused(commit({ delete: key }, { update: entity(5) }), CODE.INVALID_ARGUMENT, /./);
    assert.equal((await read(datastore.key([kind, 'sample']))).turn, 4);
  });
});

// A write waits for a lock before it is aborted, so the tests wait side by side.
describe('contention', { concurrency: true }, () => {
  it('aborts an outside write to what a transaction has read, and lets the transaction commit', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction();
    await transaction.run();
    await transaction.get(key);
    transaction.save({ key, data: { balance: 2 } });
    await assertRefused(datastore.save({ key, data: { balance: 3 } }), CODE.ABORTED, /contention/);
    await transaction.commit();
    assert.equal((await read(key)).balance, 2);
  });

  it('aborts one of two transactions that read the same and both write it; its retry succeeds', async () => {
    const key = await stored({ balance: 0 });
    const [first, second] = [datastore.transaction(), datastore.transaction()];
    await Promise.all([first.run(), second.run()]);
    const [[[one]], [[two]]] = await Promise.all([first.get(key), second.get(key)].map(async (got) => [await got]));
    first.save({ key, data: { balance: one.balance + 1 } });
    second.save({ key, data: { balance: two.balance + 1 } });
    const results = await Promise.allSettled([first.commit(), second.commit()]);
    const failed = results.filter((result) => result.status === 'rejected');
    assert.equal(failed.length, 1);
    assert.equal(failed[0].reason.code, CODE.ABORTED);
    assert.match(failed[0].reason.message, /contention/);
    await inTransaction(async (again) => {
      const [account] = await again.get(key);
      again.save({ key, data: { balance: account.balance + 1 } });
    });
    assert.equal((await read(key)).balance, 2);
  });

  it('loses no increment of many at once', async () => {
    const key = await stored({ balance: 0 });
    await Promise.all(
      Array.from({ length: 8 }, () =>
        inTransaction(async (transaction) => {
          const [account] = await transaction.get(key);
          transaction.save({ key, data: { balance: account.balance + 1 } });
        }),
      ),
    );
    assert.equal((await read(key)).balance, 8);
  });

  it('lets no entity slip into what a transaction has queried', async () => {
    const kind = await seed('Phantom', { a: { open: true } });
    const transaction = datastore.transaction();
    await transaction.run();
    const open = await found(transaction.createQuery(kind).filter('open', true));
    await assertRefused(datastore.save({ key: datastore.key([kind, 'b']), data: { open: true } }), CODE.ABORTED, /contention/);
    transaction.save({ key: datastore.key([kind, 'count']), data: { open: false, count: open.length } });
    await transaction.commit();
    assert.deepEqual(await found(datastore.createQuery(kind).filter('open', true)), ['a']);
  });

  it('lets transactions of different entities run at once', async () => {
    const [one, two] = [await stored({ balance: 1 }), await stored({ balance: 1 })];
    const [first, second] = [datastore.transaction(), datastore.transaction()];
    await Promise.all([first.get(one), second.get(two)]);
    first.save({ key: one, data: { balance: 2 } });
    second.save({ key: two, data: { balance: 2 } });
    await Promise.all([first.commit(), second.commit()]);
    assert.deepEqual([(await read(one)).balance, (await read(two)).balance], [2, 2]);
  });

  it('takes the transaction that a retry follows', async () => {
    const key = await stored({ balance: 1 });
    const first = datastore.transaction();
    await first.run();
    await first.rollback();
    const retry = datastore.transaction({ id: first.id });
    await retry.run();
    const [account] = await retry.get(key);
    retry.save({ key, data: { balance: account.balance + 1 } });
    await retry.commit();
    assert.equal((await read(key)).balance, 2);
  });
});

describe('read-only transactions', () => {
  it('sees one moment, and locks nothing', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction({ readOnly: true });
    await transaction.run();
    assert.equal((await transaction.get(key))[0].balance, 1);
    await datastore.save({ key, data: { balance: 2 } });
    assert.equal((await transaction.get(key))[0].balance, 1);
    const [entities] = await transaction.createQuery(key.kind).run();
    assert.equal(entities[0].balance, 1);
    await transaction.commit();
    assert.equal((await read(key)).balance, 2);
  });

  it('sees the moment of its first read where nobody ran it', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction({ readOnly: true });
    await datastore.save({ key, data: { balance: 2 } });
    assert.equal((await transaction.get(key))[0].balance, 2);
    await datastore.save({ key, data: { balance: 3 } });
    const [[sum]] = await transaction.runAggregationQuery(
      transaction.createAggregationQuery(transaction.createQuery(key.kind)).sum('balance', 'sum'),
    );
    assert.equal(sum.sum, 2);
    await transaction.rollback();
  });

  it('refuses to write', async () => {
    const key = await stored({ balance: 1 });
    const transaction = datastore.transaction();
    await transaction.run({ readOnly: true });
    transaction.save({ key, data: { balance: 2 } });
    await assertRefused(transaction.commit(), CODE.INVALID_ARGUMENT, /Cannot modify entities in a read-only transaction/);
    assert.equal((await read(key)).balance, 1);
  });

  it('reads at a time that is given', async () => {
    const key = await stored({ balance: 1 });
    const path = { path: [{ kind: key.kind, name: 'sample' }] };
    const [{ readTime }] = await rawClient.lookup({ projectId, keys: [path] });
    await datastore.save({ key, data: { balance: 2 } });
    const [{ transaction }] = await rawClient.beginTransaction({ projectId, transactionOptions: { readOnly: { readTime } } });
    const [{ found: then, readTime: answered }] = await rawClient.lookup({ projectId, keys: [path], readOptions: { transaction } });
    assert.equal(then[0].entity.properties.balance.integerValue, '1');
    assert.deepEqual({ ...answered }, { ...readTime });
    await rawClient.rollback({ projectId, transaction });
  });
});
