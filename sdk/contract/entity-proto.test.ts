import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeEntity,
  decodeEntityKey,
  decodeKey,
  decodeSentEntity,
  decodeValue,
  encodeEntity,
  encodeKey,
  encodeValue,
} from './entity-proto.ts';
import { type Entity, type Value, type ValueBody } from './entity.ts';
import { type Key, type PathElement } from './key.ts';
import { LIMITS } from './limits.ts';

const text = fc.string({ unit: 'binary' });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const element: fc.Arbitrary<PathElement> = fc.oneof(
  fc.record({ kind: text, id: int64 }),
  fc.record({ kind: text, name: text }),
  fc.record({ kind: text }),
);
const key: fc.Arbitrary<Key> = fc.record({
  projectId: text,
  databaseId: text,
  namespace: text,
  path: fc.array(element, { maxLength: 4 }),
});

const { value, entity } = fc.letrec<{ value: Value; leaf: ValueBody; entity: Entity }>((tie) => ({
  leaf: fc.oneof(
    { maxDepth: 3 },
    fc.constant<ValueBody>({ kind: 'null' }),
    fc.boolean().map((item): ValueBody => ({ kind: 'boolean', value: item })),
    int64.map((item): ValueBody => ({ kind: 'integer', value: item })),
    fc.double().map((item): ValueBody => ({ kind: 'double', value: item })),
    fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }).map((micros): ValueBody => ({ kind: 'timestamp', micros })),
    text.map((item): ValueBody => ({ kind: 'string', value: item })),
    fc.uint8Array().map((bytes): ValueBody => ({ kind: 'blob', value: Buffer.from(bytes) })),
    fc.record({ kind: fc.constant('geoPoint' as const), latitude: fc.double(), longitude: fc.double() }),
    key.map((item): ValueBody => ({ kind: 'key', value: item })),
    tie('entity').map((item): ValueBody => ({ kind: 'entity', value: item })),
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
  entity: fc.tuple(key, fc.array(fc.tuple(text, tie('value')), { maxLength: 4 })).map(([itsKey, entries]) => ({
    key: itsKey,
    properties: Object.assign(Object.create(null) as object, Object.fromEntries(entries)),
  })),
}));

test('keys, values and entities come back as they were', () => {
  fc.assert(
    fc.property(key, (item) => {
      expect(decodeKey(encodeKey(item))).toEqual(item);
    }),
  );
  fc.assert(
    fc.property(value, (item) => {
      expect(decodeValue(encodeValue(item))).toEqual(item);
    }),
  );
  fc.assert(
    fc.property(entity, (item) => {
      const bytes = encodeEntity(item);
      expect(decodeEntity(bytes)).toEqual(item);
      expect(decodeEntityKey(bytes)).toEqual(item.key);
    }),
  );
});

test('the bytes are those of the public messages', () => {
  // Written by hand from the field numbers of google.datastore.v1.
  const greeting: Entity = {
    key: { projectId: 'p', databaseId: '', namespace: '', path: [{ kind: 'G', id: 5n }] },
    properties: { a: { kind: 'string', value: 'x', excludeFromIndexes: true } },
  };
  expect(encodeEntity(greeting).toString('hex')).toBe(
    ['0a0c', '0a03120170', '12050a01471005', '1a0c', '0a0161', '1207', '8a010178', '980101'].join(''),
  );
  expect(encodeValue({ kind: 'integer', value: -1n }).toString('hex')).toBe('10ffffffffffffffffff01');
  expect(encodeValue({ kind: 'timestamp', micros: 1_500_001n }).toString('hex')).toBe('5208080110e8d1b5ee01');
  expect(encodeValue({ kind: 'null' }).toString('hex')).toBe('5800');
});

test('digits finer than a microsecond are cut, unknown fields are passed over', () => {
  // Timestamp { seconds: 1, nanos: 1999 } and an unknown field 100.
  const bytes = Buffer.from(['5205', '0801', '10cf0f', 'a20601', '00'].join(''), 'hex');
  expect(decodeValue(bytes)).toEqual({ kind: 'timestamp', micros: 1_000_001n });
});

test('malformed bytes are refused and never crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        decodeEntity(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^DS_(INVALID|LIMIT)$/) });
      }
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(entity, fc.nat(), fc.nat(255), (item, place, byte) => {
      const bytes = encodeEntity(item);
      bytes[place % bytes.length] = byte;
      try {
        decodeEntity(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^DS_(INVALID|LIMIT)$/) });
      }
    }),
  );
});

test('half a surrogate pair and invalid UTF-8 are refused', () => {
  expect(() => encodeValue({ kind: 'string', value: '\ud800' })).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
  expect(() => decodeValue(Buffer.from('8a0102c328', 'hex'))).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
});

test('an array within an array is refused both ways', () => {
  const inner: Value = { kind: 'array', values: [] };
  expect(() => encodeValue({ kind: 'array', values: [inner] })).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
  expect(() => decodeValue(Buffer.from('4a040a024a00', 'hex'))).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
});

test('entities nest as deep as the limit and no deeper', () => {
  const nested = (depth: number): Value =>
    depth === 0 ? { kind: 'null' } : { kind: 'entity', value: { properties: { a: nested(depth - 1) } } };
  expect(() => decodeValue(encodeValue(nested(LIMITS.entityDepthMax)))).not.toThrow();
  expect(() => encodeValue(nested(LIMITS.entityDepthMax + 1))).toThrow(expect.objectContaining({ code: 'DS_LIMIT' }));
});

test('digits of a timestamp beyond the microsecond are cut, and it is told that they were there', () => {
  const finer = decodeSentEntity(Buffer.from('0a0712050a014b10011a0e0a016112095207080110959aef3a', 'hex'));
  expect(finer).toMatchObject({ isExact: false, entity: { properties: { a: { kind: 'timestamp', micros: 1_123_456n } } } });
  expect(decodeSentEntity(Buffer.from('0a0712050a014b10011a0e0a0161120952070801108094ef3a', 'hex')).isExact).toBe(true);
});
