// Queries: every operator, composite filters, orders, keys-only, projections, distinct, kindless.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CODE, Datastore, PropertyFilter, and, assertRefused, datastore, found, keyNames, or, seed, uniqueName } from './client.mjs';

const query = (kind, ...filters) => filters.reduce((built, filter) => built.filter(filter), datastore.createQuery(kind));
const is = (property, operator, value) => new PropertyFilter(property, operator, value);

describe('filters', () => {
  let kind;
  before(async () => {
    kind = await seed('Task', {
      a: { priority: 1, done: false, tags: ['home', 'garden'], owner: 'Ada' },
      b: { priority: 2, done: true, tags: ['work'], owner: 'Bob' },
      c: { priority: 3, done: false, tags: ['home', 'work'], owner: 'Ada' },
      d: { priority: 4, done: true, tags: [], owner: 'Cy' },
      e: { priority: 4, done: false, tags: ['garden'] },
    });
  });

  const cases = [
    ['=', 'priority', 4, ['d', 'e']],
    ['<', 'priority', 3, ['a', 'b']],
    ['<=', 'priority', 3, ['a', 'b', 'c']],
    ['>', 'priority', 3, ['d', 'e']],
    ['>=', 'priority', 3, ['c', 'd', 'e']],
    ['!=', 'priority', 4, ['a', 'b', 'c']],
    ['IN', 'priority', [1, 3, 99], ['a', 'c']],
    ['NOT_IN', 'priority', [1, 4], ['b', 'c']],
    ['=', 'tags', 'home', ['a', 'c']],
    ['IN', 'tags', ['garden', 'work'], ['a', 'b', 'c', 'e']],
    // What has no owner is found by neither.
    ['!=', 'owner', 'Ada', ['b', 'd']],
    ['NOT_IN', 'owner', ['Ada', 'Bob'], ['d']],
  ];
  for (const [operator, property, value, expected] of cases)
    it(`finds ${property} ${operator} ${JSON.stringify(value)}`, async () => {
      assert.deepEqual((await found(query(kind, is(property, operator, value)))).sort(), expected);
    });

  it('takes the older form of a filter too', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).filter('priority', '>=', 2).filter('priority', '<', 4)), ['b', 'c']);
    assert.deepEqual((await found(datastore.createQuery(kind).filter('done', true))).sort(), ['b', 'd']);
  });

  it('finds by key, and a range of keys', async () => {
    const key = (name) => datastore.key([kind, name]);
    assert.deepEqual(await found(query(kind, is('__key__', '=', key('c')))), ['c']);
    assert.deepEqual(await found(query(kind, is('__key__', '>', key('b')), is('__key__', '<=', key('d')))), ['c', 'd']);
    assert.deepEqual((await found(query(kind, is('__key__', 'IN', [key('a'), key('d')])))).sort(), ['a', 'd']);
  });

  it('joins equalities, and an equality with a range of another property', async () => {
    assert.deepEqual(await found(query(kind, is('done', '=', false), is('owner', '=', 'Ada'))), ['a', 'c']);
    assert.deepEqual(await found(query(kind, is('tags', '=', 'home'), is('tags', '=', 'work'))), ['c']);
    assert.deepEqual(await found(query(kind, is('done', '=', false), is('priority', '>', 1))), ['c', 'e']);
  });

  it('takes ranges of several properties', async () => {
    assert.deepEqual((await found(query(kind, is('priority', '>', 1), is('owner', '<', 'Cy')))).sort(), ['b', 'c']);
  });

  it('combines with and, or, and both nested', async () => {
    assert.deepEqual(await found(query(kind, and([is('priority', '>', 1), is('priority', '<', 4)]))), ['b', 'c']);
    assert.deepEqual((await found(query(kind, or([is('priority', '=', 1), is('owner', '=', 'Cy')])))).sort(), ['a', 'd']);
    const either = or([and([is('done', '=', true), is('tags', '=', 'work')]), and([is('done', '=', false), is('owner', '=', 'Ada')])]);
    assert.deepEqual((await found(query(kind, either))).sort(), ['a', 'b', 'c']);
    assert.deepEqual((await found(query(kind, is('done', '=', false), or([is('priority', '=', 1), is('priority', '=', 4)])))).sort(), [
      'a',
      'e',
    ]);
  });

  it('answers an entity once that several alternatives find', async () => {
    assert.deepEqual((await found(query(kind, or([is('tags', '=', 'home'), is('tags', '=', 'work')])))).sort(), ['a', 'b', 'c']);
  });

  it('lets one element of an array satisfy all bounds', async () => {
    const arrays = await seed('Array', { far: { x: [1, 10] }, near: { x: [5] } });
    assert.deepEqual(await found(query(arrays, is('x', '>', 2), is('x', '<', 9))), ['near']);
    assert.deepEqual((await found(query(arrays, is('x', '!=', 1)))).sort(), ['far', 'near']);
  });

  it('finds null, and no empty array in its place', async () => {
    const nulls = await seed('Null', { null: { x: null }, empty: { x: [] }, missing: {}, zero: { x: 0 } });
    assert.deepEqual(await found(query(nulls, is('x', '=', null))), ['null']);
  });

  const refused = [
    [
      '31 values of IN',
      is(
        'priority',
        'IN',
        Array.from({ length: 31 }, (_, index) => index),
      ),
    ],
    [
      '11 values of NOT_IN',
      is(
        'priority',
        'NOT_IN',
        Array.from({ length: 11 }, (_, index) => index),
      ),
    ],
    ['IN of nothing', is('priority', 'IN', [])],
    ['IN of something that is no list', is('priority', 'IN', 1)],
    ['a key that is compared with a number', is('__key__', '=', 5)],
    ['an entity as a value', is('owner', '=', { name: 'Ada' })],
    ['HAS_ANCESTOR of a property', is('owner', 'HAS_ANCESTOR', datastore.key(['A', 1]))],
  ];
  for (const [what, filter] of refused) it(`refuses ${what}`, () => assertRefused(query(kind, filter).run(), CODE.INVALID_ARGUMENT, /./));
});

describe('ancestors', () => {
  const kind = uniqueName('Child');
  const list = uniqueName('List');
  before(() =>
    datastore.save([
      { key: datastore.key([list, 'one']), data: { rank: 0 } },
      { key: datastore.key([list, 'one', kind, 'a']), data: { rank: 2 } },
      { key: datastore.key([list, 'one', kind, 'b', kind, 'c']), data: { rank: 1 } },
      { key: datastore.key([list, 'two', kind, 'd']), data: { rank: 1 } },
    ]),
  );
  const one = () => datastore.key([list, 'one']);

  it('finds only what is below, in either form', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).hasAncestor(one())), ['a', 'c']);
    assert.deepEqual(await found(query(kind, is('__key__', 'HAS_ANCESTOR', one()))), ['a', 'c']);
  });

  it('orders and filters below an ancestor', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).hasAncestor(one()).order('rank')), ['c', 'a']);
    assert.deepEqual(await found(query(kind, is('rank', '>', 1)).hasAncestor(one())), ['a']);
    assert.deepEqual(await found(query(kind, is('rank', '=', 1)).hasAncestor(one())), ['c']);
  });

  it('finds everything below an ancestor, itself too, without a kind', async () => {
    assert.deepEqual(await found(datastore.createQuery().hasAncestor(one())), ['one', 'a', 'c']);
  });

  it('finds a range of keys without a kind', async () => {
    const filter = and([is('__key__', '>', one()), is('__key__', '<', datastore.key([list, 'two', kind, 'zz']))]);
    assert.deepEqual(await found(datastore.createQuery().filter(filter)), ['a', 'c', 'd']);
  });

  it('refuses a property where there is no kind', async () => {
    await assertRefused(
      datastore
        .createQuery()
        .filter(is('rank', '=', 1))
        .run(),
      CODE.INVALID_ARGUMENT,
      /kind is required for non-__key__ filters/,
    );
    await assertRefused(
      datastore.createQuery().order('rank').run(),
      CODE.INVALID_ARGUMENT,
      /kind is required for all orders except __key__ ascending/,
    );
  });
});

describe('orders and shapes of results', () => {
  let kind;
  before(async () => {
    kind = await seed('Item', {
      a: { group: 'x', rank: 2, tags: ['p', 'q'] },
      b: { group: 'x', rank: 1, tags: ['p'] },
      c: { group: 'y', rank: 3, tags: ['q', 'r'] },
      d: { group: 'y', rank: 3, tags: [] },
      e: { group: 'z' },
    });
  });

  it('orders up, down, by several properties and by key', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).order('rank')), ['b', 'a', 'c', 'd']);
    assert.deepEqual(await found(datastore.createQuery(kind).order('rank', { descending: true })), ['c', 'd', 'a', 'b']);
    assert.deepEqual(await found(datastore.createQuery(kind).order('group', { descending: true }).order('rank')), ['c', 'd', 'b', 'a']);
    assert.deepEqual(await found(datastore.createQuery(kind).order('__key__', { descending: true })), ['e', 'd', 'c', 'b', 'a']);
  });

  it('orders by the least element of an array, and down by the greatest', async () => {
    assert.deepEqual(await found(datastore.createQuery(kind).order('tags')), ['a', 'b', 'c']);
    assert.deepEqual(await found(datastore.createQuery(kind).order('tags', { descending: true })), ['c', 'a', 'b']);
  });

  it('returns keys alone', async () => {
    const [entities] = await datastore.createQuery(kind).select('__key__').run();
    assert.deepEqual(keyNames(entities), ['a', 'b', 'c', 'd', 'e']);
    for (const entity of entities) assert.deepEqual(Object.keys(entity), []);
  });

  it('projects, and finds only what has every projected property', async () => {
    const [entities] = await datastore.createQuery(kind).select(['rank', 'group']).order('rank').run();
    assert.deepEqual(
      entities.map((entity) => ({ ...entity, key: entity[Datastore.KEY].name, [Datastore.KEY]: undefined })),
      [
        { rank: 1, group: 'x', key: 'b' },
        { rank: 2, group: 'x', key: 'a' },
        { rank: 3, group: 'y', key: 'c' },
        { rank: 3, group: 'y', key: 'd' },
      ].map((row) => ({ ...row, [Datastore.KEY]: undefined })),
    );
  });

  it('projects an array as one result for each element', async () => {
    const [entities] = await datastore.createQuery(kind).select('tags').run();
    assert.deepEqual(
      entities.map((entity) => `${entity[Datastore.KEY].name} ${entity.tags}`),
      ['a p', 'b p', 'a q', 'c q', 'c r'],
    );
  });

  it('projects timestamps as microseconds', async () => {
    const times = await seed('Time', { a: { at: new Date('2024-01-01T00:00:00.001Z') } });
    const [[entity]] = await datastore.createQuery(times).select('at').run();
    assert.equal(entity.at, 1_704_067_200_001_000);
  });

  it('returns distinct values once', async () => {
    const [groups] = await datastore.createQuery(kind).select('group').groupBy('group').run();
    assert.deepEqual(
      groups.map((entity) => entity.group),
      ['x', 'y', 'z'],
    );
    const [first] = await datastore.createQuery(kind).select(['group', 'rank']).groupBy('group').order('group').order('rank').run();
    assert.deepEqual(
      first.map((entity) => [entity.group, entity.rank]),
      [
        ['x', 1],
        ['y', 3],
      ],
    );
  });

  const refused = [
    [
      'a projection of an equality',
      () => query(kind, is('group', '=', 'x')).select('group'),
      /cannot use projection on a property with an equality filter/,
    ],
    [
      'a projection of one property twice',
      () => datastore.createQuery(kind).select(['rank', 'rank']),
      /cannot project a property multiple times/,
    ],
    [
      'a distinct property that is not first in order',
      () => datastore.createQuery(kind).select(['group', 'rank']).groupBy('group').order('rank').order('group'),
      /must specify all group by orderings before any non group by orderings/,
    ],
  ];
  for (const [what, build, text] of refused) it(`refuses ${what}`, () => assertRefused(build().run(), CODE.INVALID_ARGUMENT, text));
});
