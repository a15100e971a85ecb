// The words of refusals that clients and their tests know (reference, section 1.7), through the whole of a call.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type Datastore } from '../../../datastore.ts';
import { openDatastore } from '../../../fixture.ts';
import { type V1Method } from '../port.ts';
import { statusOf } from '../transport/status.ts';
import { entityOf, keyOf, type Plain, PROJECT, V1Client } from './v1-fixture.ts';
import { DatastoreV1Service } from '../v1-service.ts';

let datastore: Datastore;
let client: V1Client;

beforeAll(async () => {
  ({ datastore } = await openDatastore());
  client = new V1Client(new DatastoreV1Service(() => datastore));
});

afterAll(() => datastore.close());

/** A cursor of this app. */
const OF_ANOTHER_QUERY = Buffer.concat([Buffer.from([1]), createHash('sha256').update(PROJECT).digest().subarray(0, 4), Buffer.alloc(9)]);
const TASKS = { kind: [{ name: 'Task' }] };
const query = (rest: Plain): Plain => ({ query: { ...TASKS, ...rest } });
const where = (name: string, op: string, value: Plain): Plain => ({ filter: { propertyFilter: { property: { name }, op, value } } });
const upsert = (entity: Plain, rest: Plain = {}): Plain => ({ mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entity, ...rest }] });
const withValue = (value: Plain): Plain => ({ ...entityOf(keyOf('Task', 1)), properties: { p: value } });
const aggregate = (...aggregations: readonly Plain[]): Plain => ({ aggregationQuery: { nestedQuery: TASKS, aggregations } });
const order = (name: string, direction = 'ASCENDING'): Plain => ({ property: { name }, direction });

it.each<[text: string, V1Method, Plain]>([
  ['Key path is empty.', 'Lookup', { keys: [{}] }],
  ['Key path has more than 100 elements.', 'Lookup', { keys: [keyOf(...Array<string>(202).fill('K'))] }],
  ['Key path element must not be incomplete: [Task: ]', 'Lookup', { keys: [keyOf('Task')] }],
  ['Key path element must not be complete: [Task: 5]', 'AllocateIds', { keys: [keyOf('Task', 5)] }],
  ['The kind is the empty string.', 'Lookup', { keys: [keyOf('', 5)] }],
  ['The kind is longer than 1500 bytes.', 'Lookup', { keys: [keyOf('K'.repeat(1_501), 5)] }],
  ['The kind "__x__" is reserved.', 'Commit', upsert(entityOf(keyOf('__x__', 1)))],
  ['The key path element name is the empty string.', 'Lookup', { keys: [keyOf('Task', '')] }],
  ['The key path element name is longer than 1500 bytes.', 'Lookup', { keys: [keyOf('Task', 'n'.repeat(1_501))] }],
  ['The namespace id "__x__" is reserved.', 'Lookup', { keys: [{ ...keyOf('Task', 1), partitionId: { namespaceId: '__x__' } }] }],
  ['Missing project id.', 'Lookup', { projectId: '' }],
  ['The property.name is the empty string.', 'Commit', upsert({ ...entityOf(keyOf('Task', 1)), properties: { '': { integerValue: 1 } } })],
  ['The property.name "__x__" is reserved.', 'Commit', upsert(entityOf(keyOf('Task', 1), { __x__: 1 }))],
  ['The value of property "p" is longer than 1500 bytes.', 'Commit', upsert(withValue({ stringValue: 'x'.repeat(1_501) }))],
  ['Geo point latitude outside permitted range -90.0 to 90.0.', 'Commit', upsert(withValue({ geoPointValue: { latitude: 91 } }))],
  ['mutation lacks required op', 'Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{}] }],
  ['a property filter must specify an operator', 'RunQuery', query(where('p', 'OPERATOR_UNSPECIFIED', {}))],
  ['a filter must have exactly one of its fields set', 'RunQuery', query({ filter: {} })],
  ['kind is required for non-__key__ filters', 'RunQuery', query({ kind: [], ...where('p', 'EQUAL', { integerValue: 1 }) })],
  ['kind is required for all orders except __key__ ascending', 'RunQuery', query({ kind: [], order: [order('p')] })],
  ['Limit must be non-negative.', 'RunQuery', query({ limit: { value: -1 } })],
  ['Offset must be non-negative.', 'RunQuery', query({ offset: -1 })],
  ['cursor does not match query', 'RunQuery', query({ startCursor: OF_ANOTHER_QUERY })],
  [
    'query is too large. may not have more than 100 filters + sort orders ancestor total',
    'RunQuery',
    query({ order: Array.from({ length: 101 }, () => order('p')) }),
  ],
  [
    'The maximum number of aggregations allowed in an aggregation query is 5. Received: 6',
    'RunAggregationQuery',
    aggregate(...Array.from({ length: 6 }, () => ({ count: {} }))),
  ],
  [
    'Aggregations are not supported for the property: __key__',
    'RunAggregationQuery',
    aggregate({ sum: { property: { name: '__key__' } } }),
  ],
  [
    'Cannot insert an entity with a base version greater than zero',
    'Commit',
    { mode: 'NON_TRANSACTIONAL', mutations: [{ insert: entityOf(keyOf('Task', 1)), baseVersion: 5 }] },
  ],
  ['conflict detection is not allowed for incomplete keys', 'Commit', upsert(entityOf(keyOf('Task')), { baseVersion: 5 })],
  ['The referenced transaction has expired or is no longer valid.', 'Rollback', { transaction: Buffer.alloc(16) }],
])('%s', async (text, method, request) => {
  const thrown: unknown = await client.call(method, request).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(PlatformError);
  expect(statusOf(thrown as PlatformError)).toEqual({ name: 'INVALID_ARGUMENT', code: 3, httpStatus: 400, message: text });
});
