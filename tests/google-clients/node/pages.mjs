// Limits, offsets, cursors, streams, and answers that take several calls.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CODE, Datastore, assertRefused, datastore, found, keyNames, projectId, rawClient, seed, uniqueName } from './client.mjs';

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('pages', () => {
  let kind;
  before(async () => {
    kind = await seed('Page', Object.fromEntries(letters.map((letter, index) => [letter, { rank: index % 3 }])));
  });
  const all = () => datastore.createQuery(kind);

  it('limits and skips', async () => {
    assert.deepEqual(await found(all().limit(3)), ['a', 'b', 'c']);
    assert.deepEqual(await found(all().limit(2).offset(4)), ['e', 'f']);
    assert.deepEqual(await found(all().offset(6)), ['g']);
    assert.deepEqual(await found(all().offset(100)), []);
  });

  it('says whether there may be more', async () => {
    const more = async (query) => (await query.run())[1].moreResults;
    assert.equal(await more(all().limit(3)), Datastore.MORE_RESULTS_AFTER_LIMIT);
    assert.equal(await more(all()), Datastore.NO_MORE_RESULTS);
    assert.equal(await more(all().limit(100)), Datastore.NO_MORE_RESULTS);
    const [, { endCursor }] = await all().limit(3).run();
    assert.equal(await more(all().end(endCursor)), Datastore.MORE_RESULTS_AFTER_CURSOR);
  });

  it('goes on where the last page ended', async () => {
    const pages = [];
    for (let cursor; pages.length < 10;) {
      const query = all().order('rank').limit(3);
      if (cursor) query.start(cursor);
      const [entities, info] = await query.run();
      if (entities.length > 0) pages.push(keyNames(entities));
      if (info.moreResults === Datastore.NO_MORE_RESULTS) break;
      cursor = info.endCursor;
    }
    assert.deepEqual(pages, [['a', 'd', 'g'], ['b', 'e', 'c'], ['f']]);
  });

  it('returns what is between two cursors', async () => {
    const cursorAfter = async (count) => (await all().limit(count).run())[1].endCursor;
    const between = all()
      .start(await cursorAfter(2))
      .end(await cursorAfter(5));
    assert.deepEqual(await found(between), ['c', 'd', 'e']);
    assert.deepEqual(
      await found(
        all()
          .start(await cursorAfter(2))
          .offset(1)
          .limit(1),
      ),
      ['d'],
    );
  });

  it('sees after a cursor what was written later', async () => {
    const growing = await seed('Grow', { a: {}, c: {} });
    const [, { endCursor }] = await datastore.createQuery(growing).limit(1).run();
    await datastore.save([{ key: datastore.key([growing, 'b']), data: {} }]);
    assert.deepEqual(await found(datastore.createQuery(growing).start(endCursor)), ['b', 'c']);
  });

  it('refuses a cursor that is none, and one of another query', async () => {
    await assertRefused(all().start('bm8gY3Vyc29y').run(), CODE.INVALID_ARGUMENT, /./);
    const [, { endCursor }] = await all().limit(1).run();
    await assertRefused(all().order('rank').start(endCursor).run(), CODE.INVALID_ARGUMENT, /cursor does not match query/);
  });

  it('gives every result a cursor, and one for what it skipped', async () => {
    const request = { projectId, query: { kind: [{ name: kind }], offset: 2, limit: { value: 3 } } };
    const [{ batch }] = await rawClient.runQuery(request);
    assert.equal(batch.skippedResults, 2);
    assert.equal(batch.entityResultType, 'FULL');
    const from = async (cursor) => {
      const [response] = await rawClient.runQuery({
        projectId,
        query: { kind: [{ name: kind }], startCursor: cursor, limit: { value: 1 } },
      });
      return response.batch.entityResults[0].entity.key.path[0].name;
    };
    assert.equal(await from(batch.skippedCursor), 'c');
    assert.equal(await from(batch.entityResults[0].cursor), 'd');
    assert.equal(await from(batch.entityResults[1].cursor), 'e');
    assert.equal(await from(batch.endCursor), 'f');
    assert.ok(Number(batch.readTime.seconds) > 0);
    assert.ok(batch.entityResults.every((result) => Number(result.version) > 0 && result.createTime && result.updateTime));
  });

  it('returns nothing for a limit of none', async () => {
    const [{ batch }] = await rawClient.runQuery({ projectId, query: { kind: [{ name: kind }], limit: { value: 0 } } });
    assert.equal(batch.entityResults.length, 0);
    assert.equal(batch.moreResults, 'MORE_RESULTS_AFTER_LIMIT');
  });

  it('refuses a negative limit or offset', async () => {
    const run = (query) => rawClient.runQuery({ projectId, query: { kind: [{ name: kind }], ...query } });
    await assertRefused(run({ limit: { value: -1 } }), CODE.INVALID_ARGUMENT, /limit must be non-negative/i);
    await assertRefused(run({ offset: -1 }), CODE.INVALID_ARGUMENT, /offset must be non-negative/i);
  });
});

describe('answers of several calls', () => {
  const kind = uniqueName('Many');
  const count = 1200;
  const keys = Array.from({ length: count }, (_, index) => datastore.key([kind, index + 1]));
  before(async () => {
    for (let from = 0; from < count; from += 400)
      await datastore.save(keys.slice(from, from + 400).map((key) => ({ key, data: { rank: key.id % 7 } })));
  });

  it('gets 1000 keys in one call and no more', async () => {
    const [entities] = await datastore.get(keys.slice(0, 1000));
    assert.equal(new Set(keyNames(entities)).size, 1000);
    await assertRefused(datastore.get(keys.slice(0, 1001)), CODE.INVALID_ARGUMENT, /1000/);
  });

  it('returns all results of a long query, in order', async () => {
    const names = (await found(datastore.createQuery(kind))).map(Number);
    assert.deepEqual(
      names,
      keys.map((key) => key.id),
    );
  });

  it('skips a large offset, and stops at a large limit', async () => {
    assert.deepEqual((await found(datastore.createQuery(kind).offset(1100).limit(2))).map(Number), [1101, 1102]);
    const [entities, info] = await datastore.createQuery(kind).limit(1000).run();
    assert.equal(entities.length, 1000);
    assert.equal(info.moreResults, Datastore.MORE_RESULTS_AFTER_LIMIT);
  });

  it('streams a query and says at its end whether there is more', async () => {
    const stream = datastore.runQueryStream(datastore.createQuery(kind).filter('rank', 3));
    let info;
    stream.on('info', (event) => (info = event));
    let rows = 0;
    for await (const entity of stream) {
      assert.equal(entity.rank, 3);
      rows += 1;
    }
    assert.equal(rows, keys.filter((key) => key.id % 7 === 3).length);
    assert.equal(info.moreResults, Datastore.NO_MORE_RESULTS);
  });

  it('streams a look-up', async () => {
    const names = [];
    for await (const entity of datastore.createReadStream(keys.slice(0, 50))) names.push(Number(entity[Datastore.KEY].id));
    assert.deepEqual(
      names.sort((a, b) => a - b),
      keys.slice(0, 50).map((key) => key.id),
    );
  });

  it('deletes many in one call', async () => {
    await datastore.delete(keys.slice(0, 500));
    assert.equal((await found(datastore.createQuery(kind).select('__key__'))).length, count - 500);
  });
});
