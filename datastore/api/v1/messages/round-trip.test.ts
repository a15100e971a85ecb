import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Datastore } from '../../../datastore.ts';
import { openDatastore } from '../../../fixture.ts';
import { answer } from './answer.ts';
import { readAggregationQuery, readQuery } from './query-reader.ts';
import { writeAggregationQuery, writeQuery } from './query-writer.ts';
import { decode, encode, messageType, type Plain, PROJECT, V1Client } from './v1-fixture.ts';
import { DatastoreV1Service } from '../v1-service.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => !text.startsWith('__') && text.isWellFormed());
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((array) => Buffer.from(array).toString('base64'));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }).filter((one) => one !== 0);

/** As protobufjs gives it back: numbers that are 0 and empty lists are left out of messages, but not of a Value. */
const keyValue: fc.Arbitrary<Plain> = fc.record({
  partitionId: fc.constant({ projectId: PROJECT }),
  path: fc.array(
    fc.oneof(fc.record({ kind: name, name }), fc.record({ kind: name, id: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String) })),
    { minLength: 1, maxLength: 3 },
  ),
});

const { value, properties } = fc.letrec<{ leaf: Plain; value: Plain; properties: Plain }>((tie) => ({
  leaf: fc.oneof(
    { maxDepth: 2 },
    fc.constant({ nullValue: 'NULL_VALUE' }),
    fc.boolean().map((booleanValue) => ({ booleanValue })),
    int64.map((integerValue) => ({ integerValue })),
    fc.double({ noNaN: true }).map((doubleValue) => ({ doubleValue })),
    fc.string({ unit: 'grapheme' }).map((stringValue) => ({ stringValue })),
    fc.uint8Array({ maxLength: 40 }).map((array) => ({ blobValue: Buffer.from(array).toString('base64') })),
    seconds.map((one) => ({ timestampValue: { seconds: String(one) } })),
    fc
      .record({ latitude: fc.integer({ min: 1, max: 90 }), longitude: fc.integer({ min: 1, max: 180 }) })
      .map((geoPointValue) => ({ geoPointValue })),
    keyValue.map((key) => ({ keyValue: key })),
    tie('properties').map((nested) => ({ entityValue: { properties: nested } })),
  ),
  value: fc
    .tuple(
      fc.oneof(
        tie('leaf'),
        fc.array(tie('leaf'), { minLength: 1, maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
      ),
      fc.constantFrom(undefined, 9),
    )
    .map(([body, meaning]) => (meaning === undefined || 'arrayValue' in body ? body : { ...body, meaning })),
  properties: fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 3 }).map((record) => ({ ...record })),
}));

const reference = name.map((one) => ({ name: one }));

const { filter } = fc.letrec<{ filter: Plain }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc
      .record({
        property: reference,
        op: fc.constantFrom(
          ...[
            'LESS_THAN',
            'LESS_THAN_OR_EQUAL',
            'GREATER_THAN',
            'GREATER_THAN_OR_EQUAL',
            'EQUAL',
            'IN',
            'NOT_EQUAL',
            'HAS_ANCESTOR',
            'NOT_IN',
          ],
        ),
        value,
      })
      .map((propertyFilter) => ({ propertyFilter })),
    fc
      .record({ op: fc.constantFrom('AND', 'OR'), filters: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) })
      .map((compositeFilter) => ({ compositeFilter })),
  ),
}));

const list = (item: fc.Arbitrary<Plain>): fc.Arbitrary<readonly Plain[]> => fc.array(item, { minLength: 1, maxLength: 3 });

const query: fc.Arbitrary<Plain> = fc.record(
  {
    projection: list(reference.map((property) => ({ property }))),
    kind: reference.map((one) => [one]),
    filter,
    order: list(fc.record({ property: reference, direction: fc.constantFrom('ASCENDING', 'DESCENDING') })),
    distinctOn: list(reference),
    startCursor: bytes,
    endCursor: bytes,
    offset: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    limit: fc.oneof(fc.constant({ value: 0 }), fc.record({ value: fc.integer({ min: 1, max: 2 ** 31 - 1 }) })),
  },
  { requiredKeys: [] },
);

const aggregation: fc.Arbitrary<Plain> = fc.oneof(
  fc.constant({ count: {} }),
  fc.record({ count: fc.record({ upTo: fc.record({ value: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String) }) }) }),
  fc.record({ sum: reference.map((property) => ({ property })) }),
  fc.record({ avg: reference.map((property) => ({ property })) }),
);

function again(type: protobuf.Type, plain: Plain): Plain {
  return decode(type, encode(type, plain));
}

describe("what Google's own encoders write", () => {
  it('is the same query after it has been read and written again', () => {
    const type = messageType('Query');
    fc.assert(
      fc.property(query, (plain) => {
        const read = readQuery(encode(type, plain), 'query');
        expect(
          decode(
            type,
            answer((writer) => writeQuery(writer, read)),
          ),
        ).toEqual(again(type, plain));
      }),
    );
  });

  it('is the same aggregation query after it has been read and written again', () => {
    const type = messageType('AggregationQuery');
    const aggregations = fc.array(
      fc.tuple(aggregation, fc.uuid()).map(([one, alias]) => ({ ...one, alias })),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(fc.record({ nestedQuery: query, aggregations }), (plain) => {
        const read = readAggregationQuery(encode(type, plain));
        expect(
          decode(
            type,
            answer((writer) => writeAggregationQuery(writer, read)),
          ),
        ).toEqual(again(type, plain));
      }),
    );
  });
});

describe('entities', () => {
  let datastore: Datastore;
  let client: V1Client;

  beforeEach(async () => {
    ({ datastore } = await openDatastore());
    client = new V1Client(new DatastoreV1Service(() => datastore));
  });

  afterEach(() => datastore.close());

  it('come back as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(keyValue, properties), { minLength: 1, maxLength: 4 }), async (pairs) => {
        const entities = [...new Map(pairs.map(([key, one]) => [JSON.stringify(key), { key, properties: unindexed(one) }])).values()];
        await client.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: entities.map((upsert) => ({ upsert })) });
        const { found } = await client.call<{ found: readonly { entity: Plain }[] }>('Lookup', { keys: entities.map(({ key }) => key) });
        const byKey = new Map(found.map(({ entity }) => [JSON.stringify(entity.key), entity]));
        for (const entity of entities) expect(byKey.get(JSON.stringify(entity.key))).toEqual(again(messageType('Entity'), entity));
      }),
      { numRuns: 60 },
    );
  });
});

/** Without index entries, whose limits are not what is tested here. */
function unindexed(plain: Plain): Plain {
  return Object.fromEntries(Object.entries(plain as Readonly<Record<string, Plain>>).map(([property, one]) => [property, excluded(one)]));
}

function excluded(one: Plain): Plain {
  const { arrayValue } = one as { readonly arrayValue?: { readonly values: readonly Plain[] } };
  return arrayValue ? { arrayValue: { values: arrayValue.values.map(excluded) } } : { ...one, excludeFromIndexes: true };
}
