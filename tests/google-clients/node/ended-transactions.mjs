// What becomes of a transaction after its end: the client refuses by itself what it knows has ended, and the server whatever
// reaches it all the same.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE, assertRefused, datastore, projectId, rawClient, uniqueName } from './client.mjs';

const kind = uniqueName('Ended');
const key = datastore.key([kind, 'sample']);
const path = { path: [{ kind, name: 'sample' }] };

const drain = async (stream) => {
  for await (const row of stream) assert.ok(row);
};

/** Each call that a transaction has, in the client's words. */
const calls = {
  get: (transaction) => transaction.get(key),
  runQuery: (transaction) => transaction.runQuery(transaction.createQuery(kind)),
  runAggregationQuery: (transaction) =>
    transaction.runAggregationQuery(transaction.createAggregationQuery(transaction.createQuery(kind)).count('total')),
  runQueryStream: async (transaction) => drain(transaction.runQueryStream(transaction.createQuery(kind))),
  createReadStream: async (transaction) => drain(transaction.createReadStream(key)),
  commit: (transaction) => transaction.commit(),
  rollback: (transaction) => transaction.rollback(),
};

const endings = { commit: (transaction) => transaction.commit(), rollback: (transaction) => transaction.rollback() };
const beginnings = { run: (transaction) => transaction.run(), 'a first read': (transaction) => transaction.get(key) };

describe('a transaction that has ended', () => {
  for (const [begun, begin] of Object.entries(beginnings))
    for (const [ended, end] of Object.entries(endings))
      for (const [name, call] of Object.entries(calls))
        it(`refuses ${name} after ${begun} and ${ended}`, async () => {
          const transaction = datastore.transaction();
          await begin(transaction);
          await end(transaction);
          await assert.rejects(call(transaction), /already expired|Transaction is not started/);
        });

  /** The same calls past the client's own check, as another client would send them. */
  const rawCalls = {
    lookup: (transaction) => rawClient.lookup({ projectId, keys: [path], readOptions: { transaction } }),
    runQuery: (transaction) => rawClient.runQuery({ projectId, query: { kind: [{ name: kind }] }, readOptions: { transaction } }),
    runAggregationQuery: (transaction) =>
      rawClient.runAggregationQuery({
        projectId,
        readOptions: { transaction },
        aggregationQuery: { nestedQuery: { kind: [{ name: kind }] }, aggregations: [{ alias: 'total', count: {} }] },
      }),
    commit: (transaction) => rawClient.commit({ projectId, mode: 'TRANSACTIONAL', transaction, mutations: [] }),
  };
  const rawEndings = {
    commit: (transaction) => rawClient.commit({ projectId, mode: 'TRANSACTIONAL', transaction, mutations: [] }),
    rollback: (transaction) => rawClient.rollback({ projectId, transaction }),
  };
  for (const [ended, end] of Object.entries(rawEndings))
    for (const [name, call] of Object.entries(rawCalls))
      it(`refuses ${name} after ${ended} on the server too`, async () => {
        const [{ transaction }] = await rawClient.beginTransaction({ projectId });
        await end(transaction);
        await assertRefused(call(transaction), CODE.INVALID_ARGUMENT, /transaction has expired or is no longer valid/);
      });

  it('is rolled back once more without a failure of the server', async () => {
    const [{ transaction }] = await rawClient.beginTransaction({ projectId });
    await rawClient.rollback({ projectId, transaction });
    await rawClient.rollback({ projectId, transaction }).catch((error) => assert.equal(error.code, CODE.INVALID_ARGUMENT));
  });

  it('is not what a made-up id names', async () => {
    const transaction = Buffer.from('no such transaction');
    for (const call of Object.values(rawCalls)) await assertRefused(call(transaction), CODE.INVALID_ARGUMENT, /transaction/i);
  });
});
