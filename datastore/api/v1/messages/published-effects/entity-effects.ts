import { expect } from 'vitest';
import { keyOf, type Plain } from '../v1-fixture.ts';
import { type Effect, effect, expectRefusal, idsOf, propertiesOf, run, type World, write } from './effect.ts';

const KEY = keyOf('Task', 1);
const where = (value: Plain): Plain => ({ filter: { propertyFilter: { property: { name: 'p' }, op: 'EQUAL', value } } });

async function store(world: World, value: Plain): Promise<void> {
  await write(world, { upsert: { key: KEY, properties: { p: value } } });
}

/** Is stored and answered as it was sent, and found by a filter with the same value. */
async function kept(world: World, value: Plain, other: Plain): Promise<void> {
  await store(world, value);
  expect(await propertiesOf(world, KEY)).toEqual({ p: value });
  expect(idsOf(await run(world, where(value)))).toEqual([1]);
  expect(idsOf(await run(world, where(other)))).toEqual([]);
}

const blob = (text: string): Plain => ({ blobValue: Buffer.from(text).toString('base64') });
const point = (latitude: number, longitude: number): Plain => ({ geoPointValue: { latitude, longitude } });
const ofKey = (path: Plain): Plain => ({ keyValue: { partitionId: { projectId: 'guestbook' }, ...path } });

/** A value, and another of its type. */
const VALUES: readonly (readonly [fields: readonly string[], value: Plain, other: Plain])[] = [
  [['Value.nullValue'], { nullValue: 'NULL_VALUE' }, { integerValue: '0' }],
  [['Value.booleanValue'], { booleanValue: true }, { booleanValue: false }],
  [['Value.integerValue'], { integerValue: '9007199254740993' }, { integerValue: '9007199254740992' }],
  [['Value.doubleValue'], { doubleValue: 4.5 }, { doubleValue: 4.25 }],
  [['Value.timestampValue'], { timestampValue: { seconds: '5', nanos: 1_000 } }, { timestampValue: { seconds: '5' } }],
  [['Value.keyValue'], ofKey(keyOf('Task', 'a')), ofKey(keyOf('Task', 'b'))],
  [['Value.stringValue'], { stringValue: 'grüße' }, { stringValue: 'gruss' }],
  [['Value.blobValue'], blob('a'), blob('b')],
  [['Value.geoPointValue', 'google.type.LatLng.latitude', 'google.type.LatLng.longitude'], point(1.5, 2.5), point(1.5, 3.5)],
];

export const ENTITY_EFFECTS: readonly Effect[] = [
  ...VALUES.map(([fields, value, other]) => effect('is a value', fields, (world) => kept(world, value, other))),

  effect('embeds', ['Value.entityValue', 'Entity.properties'], async (world) => {
    const value = { entityValue: { properties: { q: { integerValue: '1' } } } };
    await store(world, value);
    expect(await propertiesOf(world, KEY)).toEqual({ p: value });
    const filter = { propertyFilter: { property: { name: 'p.q' }, op: 'EQUAL', value: { integerValue: 1 } } };
    expect(idsOf(await run(world, { filter }))).toEqual([1]);
  }),

  effect('names an entity', ['Entity.key'], async (world) => {
    const [result] = await write(world, { insert: { key: keyOf('Task'), properties: {} } });
    expect(await propertiesOf(world, result?.key as Plain)).toEqual({});
    await expectRefusal(write(world, { insert: { properties: {} } }), 'an entity needs a key');
  }),

  effect('lists', ['Value.arrayValue', 'ArrayValue.values'], async (world) => {
    const value = { arrayValue: { values: [{ integerValue: '1' }, { stringValue: 'a' }] } };
    await store(world, value);
    expect(await propertiesOf(world, KEY)).toEqual({ p: value });
    expect(idsOf(await run(world, where({ stringValue: 'a' })))).toEqual([1]);
    await expectRefusal(
      store(world, { arrayValue: { values: [value] } }),
      'list_value cannot contain a Value containing another list_value.',
    );
  }),

  // A filter compares values, whatever their legacy meaning: a value that was read can be asked for as it is.
  effect('has a legacy meaning', ['Value.meaning'], async (world) => {
    const value = { stringValue: 'a', meaning: 9 };
    await store(world, value);
    expect(await propertiesOf(world, KEY)).toEqual({ p: value });
    expect(idsOf(await run(world, where(value)))).toEqual([1]);
    expect(idsOf(await run(world, where({ stringValue: 'a' })))).toEqual([1]);
    await expectRefusal(store(world, { stringValue: 'a', meaning: 18 }), 'came from a projection');
  }),

  // Of a value to compare with it says nothing: what is not indexed is not found, whatever the filter says.
  effect('is not indexed', ['Value.excludeFromIndexes'], async (world) => {
    const value = { stringValue: 'a', excludeFromIndexes: true };
    await store(world, value);
    expect(await propertiesOf(world, KEY)).toEqual({ p: value });
    expect(idsOf(await run(world, where({ stringValue: 'a' })))).toEqual([]);
    await store(world, { stringValue: 'a' });
    expect(idsOf(await run(world, where(value)))).toEqual([1]);
  }),
];
