// Saving, reading back, and what a write is refused for.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE, assertRefused, datastore, found, keyNames, major, uniqueName } from './client.mjs';

describe('writes', () => {
  it('saves an entity and gets it with its key', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    await datastore.save({ key, data: { description: 'Buy milk', done: false, priority: 4 } });
    const [task] = await datastore.get(key);
    assert.deepEqual(
      { ...task, [datastore.KEY]: undefined },
      { description: 'Buy milk', done: false, priority: 4, [datastore.KEY]: undefined },
    );
    assert.deepEqual(task[datastore.KEY].path, key.path);
  });

  it('answers nothing for a key that is not there', async () => {
    const [task] = await datastore.get(datastore.key([uniqueName('Task'), 'missing']));
    assert.equal(task, undefined);
  });

  it('gets only those of several keys that are there', async () => {
    const kind = uniqueName('Task');
    const keys = ['a', 'b', 'c'].map((name) => datastore.key([kind, name]));
    await datastore.save([0, 2].map((index) => ({ key: keys[index], data: { index } })));
    const [tasks] = await datastore.get(keys);
    assert.deepEqual(keyNames(tasks).sort(), ['a', 'c']);
  });

  it('gives an incomplete key an id', async () => {
    const kind = uniqueName('Task');
    const keys = [datastore.key(kind), datastore.key(kind), datastore.key(['List', 'home', kind])];
    await datastore.save(keys.map((key, index) => ({ key, data: { index } })));
    assert.equal(new Set(keys.map((key) => key.id)).size, 3);
    for (const [index, key] of keys.entries()) {
      assert.match(String(key.id), /^[1-9]\d*$/);
      const [task] = await datastore.get(key);
      assert.equal(task.index, index);
    }
    assert.equal(keys[2].parent.name, 'home');
  });

  it('replaces the whole entity when it saves again, whatever the method is called', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    await datastore.save({ key, data: { a: 1, b: 2 } });
    await datastore.upsert({ key, data: { b: 3 } });
    assert.deepEqual({ ...(await datastore.get(key))[0] }.b, 3);
    assert.equal('a' in (await datastore.get(key))[0], false);
    await datastore.update({ key, data: { c: 4 } });
    assert.deepEqual(Object.keys((await datastore.get(key))[0]), ['c']);
  });

  it('refuses a second insert with ALREADY_EXISTS and keeps the first', async () => {
    const key = datastore.key([uniqueName('Task'), 'once']);
    await datastore.insert({ key, data: { turn: 1 } });
    await assertRefused(datastore.insert({ key, data: { turn: 2 } }), CODE.ALREADY_EXISTS, /already exists/);
    assert.equal((await datastore.get(key))[0].turn, 1);
  });

  it('refuses to update what is not there with NOT_FOUND', async () => {
    const key = datastore.key([uniqueName('Task'), 'missing']);
    await assertRefused(datastore.update({ key, data: { turn: 1 } }), CODE.NOT_FOUND, /no entity to update/);
    assert.equal((await datastore.get(key))[0], undefined);
  });

  it('deletes, and deletes what is gone without complaint', async () => {
    const kind = uniqueName('Task');
    const keys = ['a', 'b'].map((name) => datastore.key([kind, name]));
    await datastore.save(keys.map((key) => ({ key, data: {} })));
    await datastore.delete(keys);
    assert.deepEqual(await found(datastore.createQuery(kind)), []);
    await datastore.delete(keys[0]);
  });

  it('does each of several writes in one call its own way', async () => {
    const kind = uniqueName('Task');
    const key = (name) => datastore.key([kind, name]);
    await datastore.save({ key: key('old'), data: { turn: 1 } });
    await datastore.save([
      { key: key('new'), method: 'insert', data: { turn: 2 } },
      { key: key('old'), method: 'update', data: { turn: 2 } },
      { key: key('any'), method: 'upsert', data: [{ name: 'turn', value: 2 }] },
    ]);
    const [tasks] = await datastore.createQuery(kind).filter('turn', 2).run();
    assert.deepEqual(keyNames(tasks), ['any', 'new', 'old']);
  });

  it('answers a commit with a version, times and the number of index rows', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    const [first] = await datastore.save({ key, data: { turn: 1 } });
    const [second] = await datastore.save({ key, data: { turn: 2 } });
    const [one] = first.mutationResults;
    const [two] = second.mutationResults;
    assert.ok(BigInt(two.version) > BigInt(one.version) && BigInt(one.version) > 0n);
    assert.ok(first.indexUpdates > 0);
    assert.equal(one.key, null, 'a key is answered only where an id was given');
    assert.ok(Number(one.createTime.seconds) > 1_500_000_000);
    assert.deepEqual(two.createTime, one.createTime);
    assert.notDeepEqual(two.updateTime, one.updateTime);
    assert.equal(one.conflictDetected, false);
  });

  it('leaves version and time of an entity alone when the same is written again', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    const [first] = await datastore.save({ key, data: { turn: 1 } });
    const [again] = await datastore.save({ key, data: { turn: 1 } });
    assert.equal(again.mutationResults[0].version, first.mutationResults[0].version);
    assert.deepEqual(again.mutationResults[0].updateTime, first.mutationResults[0].updateTime);
  });

  it('refuses two writes to one entity in a call that is no transaction', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    const writes = [1, 2].map((turn) => ({ key, data: { turn } }));
    await assertRefused(datastore.save(writes), CODE.INVALID_ARGUMENT, /multiple mutations affecting the same entity/);
  });

  it('allocates ids that it gives to nobody else', async () => {
    const kind = uniqueName('Task');
    const [keys] = await datastore.allocateIds(datastore.key(['List', 'home', kind]), 20);
    const ids = new Set(keys.map((key) => key.id));
    assert.equal(ids.size, 20);
    for (const key of keys) assert.deepEqual(key.path.slice(0, 3), ['List', 'home', kind]);
    const more = Array.from({ length: 20 }, () => datastore.key(['List', 'home', kind]));
    await datastore.save(more.map((key) => ({ key, data: {} })));
    assert.equal(new Set([...ids, ...more.map((key) => key.id)]).size, 40);
    await datastore.save({ key: keys[0], data: { mine: true } });
    assert.equal((await datastore.get(keys[0]))[0].mine, true);
  });

  it('merges new properties into what is there', async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    await datastore.save({ key, data: { a: 1, b: 1 } });
    await datastore.merge({ key, data: { b: 2, c: 2 } });
    const [task] = await datastore.get(key);
    assert.deepEqual([task.a, task.b, task.c], [1, 2, 2]);
    const fresh = datastore.key([key.kind, 'fresh']);
    await datastore.merge([{ key: fresh, data: { a: 1 } }]);
    assert.equal((await datastore.get(fresh))[0].a, 1);
  });

  it('does many calls at once', async () => {
    const kind = uniqueName('Task');
    const keys = Array.from({ length: 200 }, (_, index) => datastore.key([kind, index + 1]));
    await Promise.all(keys.map((key) => datastore.save({ key, data: { id: key.id } })));
    const entities = await Promise.all(keys.map(async (key) => (await datastore.get(key))[0]));
    assert.deepEqual(
      entities.map((entity) => entity.id),
      keys.map((key) => key.id),
    );
  });

  it('transforms properties where they are', { skip: major < 10 && 'this version of the client has no transforms' }, async () => {
    const key = datastore.key([uniqueName('Task'), 'sample']);
    const data = { count: 5, least: 5, most: 5, list: ['a', 'b'], touched: null };
    const [response] = await datastore.save({
      key,
      data,
      transforms: [
        { property: 'count', increment: 3 },
        { property: 'least', minimum: 2 },
        { property: 'most', maximum: 9 },
        { property: 'list', appendMissingElements: ['b', 'c'] },
        { property: 'list', removeAllFromArray: ['a'] },
        { property: 'touched', setToServerValue: true },
      ],
    });
    const [task] = await datastore.get(key);
    assert.deepEqual([task.count, task.least, task.most, task.list], [8, 2, 9, ['b', 'c']]);
    assert.ok(task.touched instanceof Date);
    const results = response.mutationResults[0].transformResults;
    assert.equal(results.length, 6);
    assert.equal(results[0].integerValue, '8');
    assert.equal(results[3].valueType, 'nullValue');
  });
});

describe('large entities', () => {
  const bytes = (length) => Buffer.alloc(length, 'x');

  it('stores and returns an entity of nearly 1 MiB', async () => {
    const key = datastore.key([uniqueName('Large'), 'sample']);
    const data = bytes(1_048_000);
    data.writeUInt32BE(0xdeadbeef, 500_000);
    await datastore.save({ key, data: { data }, excludeFromIndexes: ['data'] });
    const [entity] = await datastore.get(key);
    assert.ok(data.equals(entity.data));
  });

  it('refuses one that is larger, and writes none of it', async () => {
    const key = datastore.key([uniqueName('Large'), 'sample']);
    const data = { a: bytes(600_000), b: bytes(600_000) };
    await assertRefused(
      datastore.save({ key, data, excludeFromIndexes: ['a', 'b'] }),
      CODE.INVALID_ARGUMENT,
      /too big|larger|longer|exceeded/i,
    );
    assert.equal((await datastore.get(key))[0], undefined);
  });

  it('refuses a commit of more than 10 MiB, and writes none of it', async () => {
    const kind = uniqueName('Large');
    const entities = Array.from({ length: 11 }, (_, index) => ({
      key: datastore.key([kind, index + 1]),
      data: { data: bytes(1_000_000) },
      excludeFromIndexes: ['data'],
    }));
    await assert.rejects(datastore.save(entities), (error) => [CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED].includes(error.code));
    assert.deepEqual(await found(datastore.createQuery(kind)), []);
  });

  it('reads many large ones with one call, and more with the next where an answer would be too large', async () => {
    const kind = uniqueName('Large');
    const keys = Array.from({ length: 6 }, (_, index) => datastore.key([kind, index + 1]));
    for (const key of keys) await datastore.save({ key, data: { data: bytes(1_000_000) }, excludeFromIndexes: ['data'] });
    const [entities] = await datastore.get(keys);
    assert.deepEqual(
      keyNames(entities)
        .map(Number)
        .sort((a, b) => a - b),
      keys.map((key) => key.id),
    );
    assert.ok(entities.every((entity) => entity.data.length === 1_000_000));
    assert.equal((await found(datastore.createQuery(kind))).length, 6);
  });

  it('refuses an indexed string of more than 1500 bytes, and takes it unindexed', async () => {
    const key = datastore.key([uniqueName('Large'), 'sample']);
    const text = 'é'.repeat(751);
    await assertRefused(datastore.save({ key, data: { text } }), CODE.INVALID_ARGUMENT, /"text" is longer than 1500 bytes/);
    await datastore.save({ key, data: { text: 'é'.repeat(750) } });
    await datastore.save({ key, data: { text }, excludeFromIndexes: ['text'] });
    assert.equal((await datastore.get(key))[0].text, text);
  });

  it('takes whatever is large when excludeLargeProperties says so', async () => {
    const key = datastore.key([uniqueName('Large'), 'sample']);
    const long = 'x'.repeat(2000);
    const data = { long, short: 'x', list: ['x', long], nested: { long, deeper: [{ long }] } };
    await assertRefused(datastore.save({ key, data }), CODE.INVALID_ARGUMENT, /longer than 1500 bytes/);
    await datastore.save({ key, data, excludeLargeProperties: true });
    const [entity] = await datastore.get(key);
    assert.deepEqual(entity.nested, data.nested);
    assert.deepEqual(entity.list, data.list);
    assert.deepEqual(await found(datastore.createQuery(key.kind).filter('short', 'x')), ['sample']);
  });
});

describe('keys that are refused', () => {
  const refused = [
    ['a reserved kind', () => datastore.key(['__reserved__', 'a']), /__reserved__.*reserved/],
    ['a reserved name', () => datastore.key(['Task', '__reserved__']), /__reserved__.*reserved/],
    ['a kind of more than 1500 bytes', () => datastore.key(['x'.repeat(1501), 'a']), /kind is longer than 1500 bytes/],
    ['a name of more than 1500 bytes', () => datastore.key(['Task', 'x'.repeat(1501)]), /name is longer than 1500 bytes/],
    [
      'a path of more than 100 elements',
      () => datastore.key(Array.from({ length: 202 }, (_, index) => `p${index}`)),
      /more than 100 elements/,
    ],
    ['a reserved namespace', () => datastore.key({ namespace: '__reserved__', path: ['Task', 'a'] }), /__reserved__.*reserved/],
  ];
  for (const [what, key, text] of refused)
    it(`refuses to write under ${what}`, () => assertRefused(datastore.save({ key: key(), data: {} }), CODE.INVALID_ARGUMENT, text));

  it('refuses to look up or delete an incomplete key', async () => {
    const key = datastore.key([uniqueName('Task')]);
    await assertRefused(datastore.get(key), CODE.INVALID_ARGUMENT, /incomplete/);
    await assertRefused(datastore.delete(key), CODE.INVALID_ARGUMENT, /incomplete/);
  });

  it('refuses a property with a reserved name', async () => {
    const key = datastore.key([uniqueName('Task'), 'a']);
    await assertRefused(datastore.save({ key, data: { __mine__: 1 } }), CODE.INVALID_ARGUMENT, /__mine__.*reserved/);
  });
});
