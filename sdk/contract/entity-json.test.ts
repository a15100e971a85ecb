import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyFromJson, keyToJson, propertiesFromJson, propertiesToJson, valueFromJson, valueToJson } from './entity-json.ts';
import { type Properties, type Value, type ValueBody } from './entity.ts';
import { type Key, type PathElement } from './key.ts';
import { LIMITS } from './limits.ts';

const text = fc.string({ unit: 'binary' });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const double = fc.oneof(fc.double(), fc.constant(-0));
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((item) => (item === 0 ? 0 : item));
const element: fc.Arbitrary<PathElement> = fc.oneof(
  fc.record({ kind: text, id: int64 }),
  fc.record({ kind: text, name: text }),
  fc.record({ kind: text }),
);
const key: fc.Arbitrary<Key> = fc.record({ projectId: text, databaseId: text, namespace: text, path: fc.array(element, { maxLength: 4 }) });
const record = (entries: readonly (readonly [string, Value])[]): Properties =>
  Object.assign(Object.create(null) as object, Object.fromEntries(entries));

const { value, properties } = fc.letrec<{ value: Value; leaf: ValueBody; properties: Properties }>((tie) => ({
  leaf: fc.oneof(
    { maxDepth: 3 },
    fc.constant<ValueBody>({ kind: 'null' }),
    fc.boolean().map((item): ValueBody => ({ kind: 'boolean', value: item })),
    int64.map((item): ValueBody => ({ kind: 'integer', value: item })),
    double.map((item): ValueBody => ({ kind: 'double', value: item })),
    fc
      .oneof(fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }), int64)
      .map((micros): ValueBody => ({ kind: 'timestamp', micros })),
    text.map((item): ValueBody => ({ kind: 'string', value: item })),
    fc.uint8Array().map((bytes): ValueBody => ({ kind: 'blob', value: Buffer.from(bytes) })),
    fc.record({ kind: fc.constant('geoPoint' as const), latitude: finite, longitude: finite }),
    key.map((item): ValueBody => ({ kind: 'key', value: item })),
    fc
      .tuple(fc.option(key, { nil: undefined }), tie('properties'))
      .map(([itsKey, inner]): ValueBody => ({ kind: 'entity', value: { ...(itsKey ? { key: itsKey } : {}), properties: inner } })),
  ),
  value: fc
    .tuple(
      fc.oneof(
        tie('leaf'),
        fc.array(tie('leaf'), { maxLength: 3 }).map((values): ValueBody => ({ kind: 'array', values })),
      ),
      fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
      fc.boolean(),
    )
    .map(([body, meaning, excluded]): Value => ({
      ...body,
      ...(meaning === undefined ? {} : { meaning }),
      ...(excluded ? { excludeFromIndexes: true } : {}),
    })),
  properties: fc.array(fc.tuple(fc.oneof(text, fc.constant('__proto__')), tie('value')), { maxLength: 4 }).map(record),
}));

/** As it is after it went over a wire. */
const sent = (json: unknown): unknown => JSON.parse(JSON.stringify(json));

describe('keys, values and properties', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(key, value, properties, (itsKey, itsValue, itsProperties) => {
        expect(keyFromJson(sent(keyToJson(itsKey)))).toEqual(itsKey);
        expect(valueFromJson(sent(valueToJson(itsValue)))).toEqual(itsValue);
        expect(propertiesFromJson(sent(propertiesToJson(itsProperties)))).toEqual(itsProperties);
      }),
    );
  });

  it('never fail in another way than with a code, whatever they are read from', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), mangled()), (json) => {
        for (const read of [keyFromJson, valueFromJson, propertiesFromJson]) {
          try {
            read(json);
          } catch (error) {
            expect(['DS_INVALID', 'DS_LIMIT']).toContain((error as { code?: string }).code);
          }
        }
      }),
    );
  });
});

/** Good JSON with one member more, fewer or other. */
function mangled(): fc.Arbitrary<unknown> {
  return fc.tuple(properties, fc.string(), fc.jsonValue()).map(([good, name, bad]) => {
    const json = propertiesToJson(good) as Record<string, unknown>;
    const [first] = Object.keys(json);
    return first === undefined ? { [name]: bad } : { ...json, [first]: { ...(json[first] as object), [name]: bad } };
  });
}

describe('the form of the public API', () => {
  it.each<[Value, unknown]>([
    [{ kind: 'null' }, { nullValue: null }],
    [{ kind: 'integer', value: 2n ** 63n - 1n }, { integerValue: '9223372036854775807' }],
    [{ kind: 'double', value: NaN }, { doubleValue: 'NaN' }],
    [{ kind: 'double', value: -Infinity }, { doubleValue: '-Infinity' }],
    [{ kind: 'timestamp', micros: 1n }, { timestampValue: '1970-01-01T00:00:00.000001Z' }],
    [{ kind: 'blob', value: Buffer.from([0xfb, 0xff]) }, { blobValue: '+/8=' }],
    [
      { kind: 'string', value: 'ä', excludeFromIndexes: true, meaning: 15 },
      { stringValue: 'ä', meaning: 15, excludeFromIndexes: true },
    ],
    [{ kind: 'array', values: [{ kind: 'boolean', value: true }] }, { arrayValue: { values: [{ booleanValue: true }] } }],
    [
      { kind: 'key', value: { projectId: 'app', databaseId: '', namespace: 'n', path: [{ kind: 'K', id: 5n }] } },
      { keyValue: { partitionId: { projectId: 'app', namespaceId: 'n' }, path: [{ kind: 'K', id: '5' }] } },
    ],
  ])('is written, case %#', (given, json) => {
    expect(sent(valueToJson(given))).toEqual(json);
  });

  it.each<[unknown, Value]>([
    [{ integerValue: 5 }, { kind: 'integer', value: 5n }],
    [{ blobValue: '-_8' }, { kind: 'blob', value: Buffer.from([0xfb, 0xff]) }],
    [{ arrayValue: {} }, { kind: 'array', values: [] }],
    [{ nullValue: 'NULL_VALUE' }, { kind: 'null' }],
    [{ geoPointValue: { latitude: 1.5 } }, { kind: 'geoPoint', latitude: 1.5, longitude: 0 }],
    [
      { stringValue: '', excludeFromIndexes: false },
      { kind: 'string', value: '' },
    ],
  ])('is read in its other ways, case %#', (json, wanted) => {
    expect(valueFromJson(json)).toEqual(wanted);
  });

  it.each<[unknown, string]>([
    [{ a: { integerValue: '5x' } }, 'properties.a.integerValue: want a whole number'],
    [{ a: { integerValue: 1.5 } }, 'properties.a.integerValue: want a whole number'],
    [{ a: { integerValue: 2 ** 53 } }, 'properties.a.integerValue: want a whole number'],
    [{ a: { integerValue: '9223372036854775808' } }, 'properties.a.integerValue: want a whole number of 64 bits'],
    [{ a: { doubleValue: '5' } }, 'properties.a.doubleValue: want a number'],
    [{ a: { doubleValue: null } }, 'properties.a.doubleValue: want a number'],
    [{ a: { booleanValue: 1 } }, 'properties.a.booleanValue: want true or false'],
    [{ a: { blobValue: 'a' } }, 'properties.a.blobValue: want base64'],
    [{ a: { blobValue: 'a b=' } }, 'properties.a.blobValue: want base64'],
    [{ a: { timestampValue: 'yesterday' } }, 'properties.a.timestampValue: want an RFC 3339 time'],
    [{ a: {} }, 'properties.a: want one of nullValue'],
    [{ a: { stringValue: 'x', nullValue: null } }, 'properties.a: want exactly one'],
    [{ a: { StringValue: 'x' } }, 'properties.a.StringValue: no such member'],
    [{ a: { toString: 'x' } }, 'properties.a.toString: no such member'],
    [{ a: { stringValue: 'x', extra: 1 } }, 'properties.a.extra: no such member'],
    [{ 'a b': 'x' }, 'properties["a b"]: want an object'],
    [
      { a: { arrayValue: { values: [{ nullValue: null }, { stringValue: 1 }] } } },
      'properties.a.arrayValue.values[1].stringValue: want text',
    ],
    [{ a: { arrayValue: { values: [{ arrayValue: {} }] } } }, 'properties.a.arrayValue.values[0]: an array cannot hold another array'],
    [{ a: { arrayValue: [] } }, 'properties.a.arrayValue: want an object with values'],
    [
      { a: { entityValue: { properties: { b: { keyValue: { path: [{ kind: 'K', id: '1', name: 'n' }] } } } } } },
      'properties.a.entityValue.properties.b.keyValue.path[0]: want either',
    ],
    [{ a: { geoPointValue: { latitude: 'x' } } }, 'properties.a.geoPointValue.latitude: want a number'],
    [{ a: { geoPointValue: { lat: 1 } } }, 'properties.a.geoPointValue.lat: no such member'],
    [{ a: { nullValue: 0 } }, 'properties.a.nullValue: want null'],
    [{ a: { stringValue: 'x', meaning: -1 } }, 'properties.a.meaning: want'],
    [{ a: { stringValue: 'x', excludeFromIndexes: 1 } }, 'properties.a.excludeFromIndexes: want'],
    [[], 'properties: want an object of values'],
    [null, 'properties: want an object of values'],
  ])('refuses what does not fit, with the place, case %#', (json, message) => {
    expect(() => propertiesFromJson(json)).toThrow(message);
  });

  it('refuses keys with the place, and too long ones', () => {
    expect(() => keyFromJson({ path: [{ kind: 'K', id: 'x' }] })).toThrow('key.path[0].id: want a whole number');
    expect(() => keyFromJson({ path: [{ name: 'x' }] })).toThrow('key.path[0].kind: want text');
    expect(() => keyFromJson({ partitionId: { tenant: 'x' }, path: [] })).toThrow('key.partitionId.tenant: no such member');
    expect(() => keyFromJson({ path: Array(LIMITS.keyPathElementsMax + 1).fill({ kind: 'K' }) })).toThrow('more than');
  });

  it('refuses nesting beyond the limit, before the stack ends', () => {
    let deep: unknown = { nullValue: null };
    for (let depth = 0; depth < 5_000; depth++) deep = { entityValue: { properties: { a: deep } } };
    expect(() => valueFromJson(deep)).toThrow(expect.objectContaining({ code: 'DS_LIMIT' }) as Error);
  });
});
