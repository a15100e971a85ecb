// Every type of value: that it comes back as it was, and that its index says the same.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE, Datastore, assertRefused, datastore, found, isRest, projectId, rawClient, seed, uniqueName } from './client.mjs';

/** Stores one property and returns it as it is read back. */
async function roundTrip(value, options, extra = {}) {
  const key = datastore.key([uniqueName('Value'), 'sample']);
  await datastore.save({ key, data: { value }, ...extra });
  const [entity] = await datastore.get(key, options);
  return entity.value;
}

/** The value as the API has it. */
async function rawValue(value, extra = {}) {
  const kind = uniqueName('Value');
  await datastore.save({ key: datastore.key([kind, 'sample']), data: { value }, ...extra });
  const [response] = await rawClient.lookup({ projectId, keys: [{ path: [{ kind, name: 'sample' }] }] });
  return response.found[0].entity.properties.value;
}

describe('values', () => {
  const same = {
    'an empty string': '',
    'a string beyond the basic plane': 'naïve 東京 👩‍👩‍👧 \u0000 end',
    zero: 0,
    'a negative integer': -42,
    'the largest safe integer': Number.MAX_SAFE_INTEGER,
    'a double': 0.1,
    'the smallest double': 5e-324,
    infinity: Infinity,
    'minus infinity': -Infinity,
    true: true,
    false: false,
    null: null,
    'a date': new Date('2024-02-29T12:34:56.789Z'),
    'a date before 1970': new Date('1900-01-01T00:00:00.001Z'),
    'bytes of every value': Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    'no bytes': Buffer.alloc(0),
    'an empty array': [],
    'an array of several types': [1, 'one', null, true, 1.5, Buffer.from('one'), new Date(1)],
    'an entity in an entity': { name: 'Ada', address: { city: 'London', geo: { deep: [1, 2] } } },
    'an array of entities': [{ a: 1 }, { a: 2, b: [{ c: 3 }] }],
    'an empty entity': {},
  };
  for (const [name, value] of Object.entries(same))
    it(`keeps ${name}`, async () => {
      assert.deepEqual(await roundTrip(value), value);
    });

  it('keeps NaN, and minus zero as a double', async () => {
    assert.ok(Number.isNaN(await roundTrip(NaN)));
    const value = await rawValue(datastore.double(-0));
    assert.equal(value.valueType, 'doubleValue');
    // JSON has no minus zero, and the client no way around that.
    assert.ok(Object.is(value.doubleValue, isRest ? 0 : -0));
  });

  it('keeps a double that is whole apart from an integer', async () => {
    assert.equal((await rawValue(datastore.double(3))).valueType, 'doubleValue');
    assert.equal((await rawValue(3)).valueType, 'integerValue');
    const kind = await seed('Number', { double: { x: datastore.double(3) }, integer: { x: 3 } });
    assert.deepEqual(await found(datastore.createQuery(kind).filter('x', 3)), ['integer']);
    assert.deepEqual(await found(datastore.createQuery(kind).filter('x', datastore.double(3))), ['double']);
  });

  it('keeps integers beyond 2^53', async () => {
    for (const text of ['9007199254740993', '9223372036854775807', '-9223372036854775808']) {
      const value = await roundTrip(datastore.int(text), { wrapNumbers: true });
      assert.ok(datastore.isInt(value));
      assert.equal(value.value, text);
      assert.equal(await roundTrip(datastore.int(text), { wrapNumbers: { integerTypeCastFunction: BigInt } }), BigInt(text));
    }
    await assert.rejects(roundTrip(datastore.int('9007199254740993')), /out of bounds of 'Number.MAX_SAFE_INTEGER'/);
  });

  it('tells neighbours beyond 2^53 apart in queries', async () => {
    const kind = await seed('Number', {
      less: { x: datastore.int('9007199254740992') },
      more: { x: datastore.int('9007199254740993') },
    });
    assert.deepEqual(await found(datastore.createQuery(kind).filter('x', datastore.int('9007199254740993')), { wrapNumbers: true }), [
      'more',
    ]);
  });

  it('keeps geo points', async () => {
    const coordinates = { latitude: 40.6894, longitude: -74.0447 };
    const value = await roundTrip(datastore.geoPoint(coordinates));
    assert.deepEqual(value, coordinates);
    await assertRefused(roundTrip(datastore.geoPoint({ latitude: 91, longitude: 0 })), CODE.INVALID_ARGUMENT, /latitude/i);
    await assertRefused(roundTrip(datastore.geoPoint({ latitude: 0, longitude: 181 })), CODE.INVALID_ARGUMENT, /longitude/i);
  });

  it('keeps keys, with their ancestors and their namespace', async () => {
    const key = datastore.key({ namespace: 'elsewhere', path: ['List', datastore.int('9007199254740993'), 'Task', 'sample'] });
    const value = await roundTrip(key);
    assert.ok(datastore.isKey(value));
    assert.equal(value.namespace, 'elsewhere');
    assert.deepEqual(value.path.map(String), ['List', '9007199254740993', 'Task', 'sample']);
    const kind = await seed('Value', { here: { key }, other: { key: datastore.key(['List', 1]) } });
    assert.deepEqual(await found(datastore.createQuery(kind).filter('key', key)), ['here']);
  });

  it('keeps microseconds of a timestamp and cuts what is finer', async () => {
    const kind = uniqueName('Value');
    const key = { path: [{ kind, name: 'sample' }] };
    const value = { timestampValue: { seconds: '1700000000', nanos: 123_456_789 } };
    await rawClient.commit({
      projectId,
      mode: 'NON_TRANSACTIONAL',
      mutations: [{ upsert: { key, properties: { value } } }],
    });
    const [response] = await rawClient.lookup({ projectId, keys: [key] });
    assert.deepEqual({ ...response.found[0].entity.properties.value.timestampValue }, { seconds: '1700000000', nanos: 123_456_000 });
  });

  it('keeps the meaning of a value and an entity without a key', async () => {
    const kind = uniqueName('Value');
    const key = { path: [{ kind, name: 'sample' }] };
    const properties = {
      text: { stringValue: 'long', meaning: 15, excludeFromIndexes: true },
      packed: { blobValue: Buffer.from('z'), meaning: 22, excludeFromIndexes: true },
      nested: { entityValue: { properties: { a: { integerValue: 1 } } } },
      keyed: { entityValue: { key: { path: [{ kind: 'Inner', name: 'a' }] }, properties: {} } },
    };
    await rawClient.commit({ projectId, mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: { key, properties } }] });
    const [response] = await rawClient.lookup({ projectId, keys: [key] });
    const back = response.found[0].entity.properties;
    assert.deepEqual([back.text.meaning, back.text.excludeFromIndexes, back.packed.meaning], [15, true, 22]);
    assert.equal(back.nested.entityValue.key, null);
    assert.equal(back.keyed.entityValue.key.path[0].name, 'a');
  });

  it('refuses an array in an array', () =>
    assertRefused(roundTrip([[1]]), CODE.INVALID_ARGUMENT, /cannot contain a Value containing another/));

  it('orders values of different types as the documentation says', async () => {
    const kind = await seed('Order', {
      null: { x: null },
      integer: { x: 5 },
      date: { x: new Date(1) },
      false: { x: false },
      true: { x: true },
      bytes: { x: Buffer.from('zz') },
      string: { x: 'a' },
      astral: { x: '\u{1F600}' },
      private: { x: '\uFFFD' },
      double: { x: -1.5 },
      nan: { x: NaN },
      infinity: { x: Infinity },
      place: { x: datastore.geoPoint({ latitude: 1, longitude: 1 }) },
      key: { x: datastore.key(['A', 1]) },
    });
    const order = [
      'null',
      'integer',
      'date',
      'false',
      'true',
      'bytes',
      'string',
      'private',
      'astral',
      'nan',
      'double',
      'infinity',
      'place',
      'key',
    ];
    const ascending = await found(datastore.createQuery(kind).order('x'));
    assert.deepEqual(
      ascending.filter((name) => name !== 'nan'),
      order.filter((name) => name !== 'nan'),
    );
    assert.deepEqual(await found(datastore.createQuery(kind).order('x', { descending: true })), [...ascending].reverse());
    const numbers = ascending.filter((name) => ['nan', 'double', 'infinity'].includes(name));
    assert.ok(numbers[0] === 'nan' || numbers[2] === 'nan', 'NaN is at one end of the doubles');
  });
});

describe('values that are not indexed', () => {
  const kind = uniqueName('Excluded');
  const data = {
    plain: 'x',
    open: 'x',
    list: ['x', 'y'],
    nested: { open: 'x', shut: 'x' },
    people: [
      { name: 'Ada', secret: 'x' },
      { name: 'Bob', secret: 'y' },
    ],
    all: { a: 'x', b: ['x'] },
  };
  const excludeFromIndexes = ['plain', 'list[]', 'nested.shut', 'people[].secret', 'all.*'];
  const key = datastore.key([kind, 'sample']);
  const finds = async (property, value) => (await found(datastore.createQuery(kind).filter(property, value))).length;

  it('finds what is indexed and not what is excluded, at any depth', async () => {
    await datastore.save({ key, data, excludeFromIndexes });
    const expected = {
      plain: 0,
      open: 1,
      list: 0,
      'nested.open': 1,
      'nested.shut': 0,
      'people.secret': 0,
      'all.a': 0,
      'all.b': 0,
    };
    const counts = {};
    for (const property of Object.keys(expected)) counts[property] = await finds(property, 'x');
    assert.deepEqual(counts, expected);
    assert.equal(await finds('people.name', 'Bob'), 1);
  });

  it('returns the excluded values all the same', async () => {
    const [entity] = await datastore.get(key);
    assert.deepEqual({ ...entity }, { ...data, [Datastore.KEY]: entity[Datastore.KEY] });
  });

  it('excludes by name where properties are given as a list', async () => {
    const listed = datastore.key([uniqueName('Excluded'), 'sample']);
    await datastore.save({
      key: listed,
      data: [
        { name: 'open', value: 'x' },
        { name: 'shut', value: 'x', excludeFromIndexes: true },
      ],
    });
    assert.equal((await found(datastore.createQuery(listed.kind).filter('open', 'x'))).length, 1);
    assert.equal((await found(datastore.createQuery(listed.kind).filter('shut', 'x'))).length, 0);
  });

  it('forgets index rows of values that have become excluded', async () => {
    const changing = datastore.key([uniqueName('Excluded'), 'sample']);
    await datastore.save({ key: changing, data: { x: 1 } });
    await datastore.save({ key: changing, data: { x: 1 }, excludeFromIndexes: ['x'] });
    assert.deepEqual(await found(datastore.createQuery(changing.kind).filter('x', 1)), []);
  });
});
