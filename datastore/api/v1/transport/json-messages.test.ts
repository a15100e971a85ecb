import { describe, expect, it } from 'vitest';
import { type ErrorCode, PlatformError } from '../../../../sdk/contract/errors.ts';
import { jsonOfAnswer, requestOfJson } from './json-messages.ts';
import { type V1Method } from '../port.ts';
import { decode, encode, messageType } from '../messages/v1-fixture.ts';

const read = (method: V1Method, json: unknown) =>
  decode(messageType(`${method}Request`), requestOfJson(method, Buffer.from(JSON.stringify(json)), 'shop'));

const refusal = (method: V1Method, text: string | Buffer): { readonly code: ErrorCode; readonly message: string } | undefined => {
  try {
    requestOfJson(method, Buffer.from(text), 'shop');
    return undefined;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { code: error.code, message: error.message };
  }
};

describe('a request in JSON', () => {
  it('may spell fields either way, and give numbers, enums, bytes and times as the mapping has them', () => {
    const properties = {
      n: { nullValue: null },
      i: { integer_value: '9007199254740993' },
      d: { doubleValue: 'NaN' },
      t: { timestampValue: '2020-01-02T03:04:05.000006Z', excludeFromIndexes: true },
      b: { blobValue: '_-8' },
      g: { geoPointValue: { latitude: 1.5, longitude: -2 } },
      a: { arrayValue: { values: [{ booleanValue: true }, { stringValue: 'ö' }] } },
    };
    expect(read('Commit', { mode: 2, mutations: [{ upsert: { key: { path: [{ kind: 'K', id: 5 }] }, properties } }] })).toEqual({
      projectId: 'shop',
      mode: 'NON_TRANSACTIONAL',
      mutations: [
        {
          upsert: {
            key: { path: [{ kind: 'K', id: '5' }] },
            properties: {
              n: { nullValue: 'NULL_VALUE' },
              i: { integerValue: '9007199254740993' },
              d: { doubleValue: NaN },
              t: { timestampValue: { seconds: '1577934245', nanos: 6000 }, excludeFromIndexes: true },
              b: { blobValue: '/+8=' },
              g: { geoPointValue: { latitude: 1.5, longitude: -2 } },
              a: { arrayValue: { values: [{ booleanValue: true }, { stringValue: 'ö' }] } },
            },
          },
        },
      ],
    });
    expect(read('Lookup', { read_options: { readConsistency: 'STRONG' }, databaseId: 'db' })).toEqual({
      projectId: 'shop',
      databaseId: 'db',
      readOptions: { readConsistency: 'STRONG' },
    });
    expect(read('RunQuery', { query: { limit: 0 } })).toEqual({ projectId: 'shop', query: { limit: {} } });
  });

  it('has the project of the URL, whichever it names', () => {
    expect(read('Lookup', { projectId: 'other' })).toEqual({ projectId: 'shop' });
    expect(read('Lookup', { project_id: 'other', projectId: 'third' })).toEqual({ projectId: 'shop' });
  });

  it('may be empty', () => {
    expect(requestOfJson('BeginTransaction', Buffer.from(' \n'), 'shop')).toEqual(
      encode(messageType('BeginTransactionRequest'), { projectId: 'shop' }),
    );
  });

  const property = (value: string) => `{"mutations":[{},{"upsert":{"properties":{"a.b":${value}}}}]}`;
  const deep = (levels: number) => property(`${'{"arrayValue":{"values":['.repeat(levels)}${']}}'.repeat(levels)}`);

  it.each<[string, V1Method, string, string]>([
    [
      'a number',
      'Commit',
      property('{"integerValue":1.5}'),
      'mutations[1].upsert.properties.a.b.integerValue: expected bigint (int64): 1.5 out of range',
    ],
    ['a number that is none', 'RunQuery', '{"query":{"offset":"x"}}', 'query.offset: expected number (int32), got "x"'],
    ['an enum', 'Commit', '{"mode":"SOMEHOW"}', 'mode: "SOMEHOW" is none of its values'],
    ['base64', 'Commit', property('{"blobValue":"%"}'), 'mutations[1].upsert.properties.a.b.blobValue: invalid base64 string'],
    ['a time', 'Lookup', '{"readOptions":{"readTime":"noon"}}', 'readOptions.readTime: invalid RFC 3339 string'],
    [
      'a value in a list',
      'Commit',
      property('{"arrayValue":{"values":[{},{"nullValue":"x"}]}}'),
      'mutations[1].upsert.properties.a.b.arrayValue.values[1].nullValue: "x" is none of its values',
    ],
    ['a message', 'Lookup', '{"keys":[7]}', 'keys[0]: want an object, got number'],
    ['a list', 'Lookup', '{"keys":{}}', 'keys: expected Array, got object'],
    ['null in a list', 'Lookup', '{"keys":[null]}', 'keys[0]: must not be null'],
    [
      'a field that is not there',
      'Commit',
      property('{"intValue":1}'),
      'mutations[1].upsert.properties.a.b.intValue: Value has no such field',
    ],
    ['a field of the request that is not there', 'Lookup', '{"keyz":[]}', 'keyz: LookupRequest has no such field'],
    ['two of one choice', 'RunQuery', '{"query":{},"gqlQuery":{}}', 'the body: oneof set multiple times by query and gql_query'],
    ['no object', 'Lookup', '[]', 'the body: want an object'],
    ['no JSON', 'Lookup', '{"keys":', 'the body: it is no JSON'],
    ['nesting without end', 'Commit', deep(20_000), 'the body: maximum recursion depth of 100 reached'],
    [
      'a name that objects cannot hold',
      'Commit',
      '{"mutations":[{"upsert":{"properties":{"__proto__":{}}}}]}',
      '__proto__: the name is reserved',
    ],
    [
      'the same in escapes',
      'Commit',
      '{"mutations":[{"upsert":{"properties":{"\\u005f_proto__":{}}}}]}',
      '__proto__: the name is reserved',
    ],
  ])('names the place of a mistake: %s', (_what, method, text, want) => {
    expect(refusal(method, text)).toEqual({ code: 'INVALID_ARGUMENT', message: `An argument is not acceptable: ${want}` });
  });

  it('must be UTF-8', () => {
    expect(refusal('Lookup', Buffer.from([0x22, 0xff, 0x22]))?.message).toMatch(/not UTF-8/);
  });
});

describe('an answer in JSON', () => {
  const answer = encode(messageType('RunQueryResponse'), {
    batch: {
      entityResultType: 'FULL',
      moreResults: 'NO_MORE_RESULTS',
      endCursor: Buffer.from([255]),
      readTime: { seconds: 1577934245, nanos: 6000 },
      entityResults: [{ version: '9007199254740993', entity: { properties: { n: { nullValue: 'NULL_VALUE' }, z: { integerValue: 0 } } } }],
    },
  });

  it('has names of enums, numbers of 64 bits as text, null for null', () => {
    expect(JSON.parse(jsonOfAnswer('RunQuery', answer, { enumAsInteger: false }))).toEqual({
      batch: {
        entityResultType: 'FULL',
        moreResults: 'NO_MORE_RESULTS',
        endCursor: '/w==',
        readTime: '2020-01-02T03:04:05.000006Z',
        entityResults: [{ version: '9007199254740993', entity: { properties: { n: { nullValue: null }, z: { integerValue: '0' } } } }],
      },
    });
  });

  it('has numbers of enums when asked', () => {
    expect(JSON.parse(jsonOfAnswer('RunQuery', answer, { enumAsInteger: true }))).toMatchObject({
      batch: { entityResultType: 1, moreResults: 3, entityResults: [{ entity: { properties: { n: { nullValue: null } } } }] },
    });
  });
});
