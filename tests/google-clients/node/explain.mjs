// Query plans, and what a query read.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { PropertyFilter, datastore, keyNames, seed, uniqueName } from './client.mjs';

describe('explain', () => {
  let kind;
  before(async () => {
    kind = await seed('Explained', { a: { rank: 1 }, b: { rank: 2 }, c: { rank: 3 } });
  });
  const scan = [{ query_scope: 'Collection group', properties: '(__name__ ASC)' }];
  const explain = (analyze) => ({ explainOptions: { analyze } });

  it('returns the plan alone, and no results', async () => {
    for (const options of [explain(false), { explainOptions: {} }]) {
      const [entities, info] = await datastore.runQuery(datastore.createQuery(kind), options);
      assert.deepEqual(entities, []);
      assert.deepEqual(info.explainMetrics, { planSummary: { indexesUsed: scan } });
    }
  });

  it('says nothing of a plan when nobody asked', async () => {
    const [entities, info] = await datastore.runQuery(datastore.createQuery(kind), {});
    assert.equal(entities.length, 3);
    assert.equal(info.explainMetrics, undefined);
  });

  it('returns plan, figures and results when it analyzes', async () => {
    const query = datastore.createQuery(kind).filter(new PropertyFilter('rank', '>', 1));
    const [entities, info] = await datastore.runQuery(query, explain(true));
    assert.deepEqual(keyNames(entities), ['b', 'c']);
    assert.equal(info.moreResults, 'NO_MORE_RESULTS');
    const { planSummary, executionStats } = info.explainMetrics;
    assert.deepEqual(planSummary.indexesUsed, [{ query_scope: 'Collection group', properties: '(rank ASC, __name__ ASC)' }]);
    assert.equal(Number(executionStats.resultsReturned), 2);
    assert.ok(Number(executionStats.readOperations) > 0);
    assert.equal(typeof executionStats.executionDuration, 'object');
    assert.equal(executionStats.debugStats.documents_scanned, '2');
    assert.ok(Number(executionStats.debugStats.index_entries_scanned) >= 2);
    assert.equal(typeof executionStats.debugStats.billing_details, 'object');
  });

  it('explains aggregations, below an ancestor too', async () => {
    const parent = datastore.key([uniqueName('List'), 'one']);
    const child = uniqueName('Child');
    await datastore.save([1, 2].map((rank) => ({ key: datastore.key([...parent.path, child, rank]), data: { rank } })));
    const query = datastore.createAggregationQuery(datastore.createQuery(child).hasAncestor(parent)).sum('rank', 'sum');
    const [planned, planInfo] = await datastore.runAggregationQuery(query, explain(false));
    assert.deepEqual(planned, []);
    const used = [{ query_scope: 'Includes ancestors', properties: '(rank ASC, __name__ ASC)' }];
    assert.deepEqual(planInfo.explainMetrics, { planSummary: { indexesUsed: used } });
    const [results, info] = await datastore.runAggregationQuery(query, explain(true));
    assert.deepEqual(results, [{ sum: 3 }]);
    assert.deepEqual(info.explainMetrics.planSummary.indexesUsed, used);
    assert.equal(Number(info.explainMetrics.executionStats.resultsReturned), 1);
  });

  it('explains within a transaction', async () => {
    const transaction = datastore.transaction({ readOnly: true });
    await transaction.run();
    const [entities, info] = await transaction.runQuery(transaction.createQuery(kind), explain(true));
    assert.equal(entities.length, 3);
    assert.deepEqual(info.explainMetrics.planSummary.indexesUsed, scan);
    await transaction.commit();
  });
});
