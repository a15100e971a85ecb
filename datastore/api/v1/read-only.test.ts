import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatastore, type OpenDatastore } from '../../fixture.ts';
import { type V1Method } from './port.ts';
import { CALLER, type Plain, V1Client } from './messages/v1-fixture.ts';
import { DatastoreV1Service } from './v1-service.ts';

let open: OpenDatastore;
let reader: V1Client;
let writer: V1Client;

const key = { path: [{ kind: 'K', name: 'a' }] };
const entity = { key, properties: { n: { integerValue: '1' } } };
const query = { kind: [{ name: 'K' }] };

beforeEach(async () => {
  open = await openDatastore();
  const service = new DatastoreV1Service(() => open.datastore);
  writer = new V1Client(service);
  reader = new V1Client(service, { ...CALLER, isReadOnly: true });
  await writer.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entity }] });
});

afterEach(() => open.datastore.close());

const count = { aggregationQuery: { nestedQuery: query, aggregations: [{ count: {} }] } };

test.each<[V1Method, Plain]>([
  ['Lookup', { keys: [key] }],
  ['Lookup', { keys: [key], readOptions: { newTransaction: { readOnly: {} } } }],
  ['RunQuery', { query }],
  ['RunAggregationQuery', count],
  ['BeginTransaction', { transactionOptions: { readOnly: {} } }],
])('who may only read calls %s %j', async (method, request) => {
  await reader.call(method, request);
});

test('who may only read reads within a transaction, and ends it either way', async () => {
  for (const end of ['Commit', 'Rollback'] as const) {
    const { transaction } = await reader.call('BeginTransaction', { transactionOptions: { readOnly: {} } });
    const { found } = await reader.call('Lookup', { keys: [key], readOptions: { transaction } });
    expect(found).toHaveLength(1);
    await reader.call(end, end === 'Commit' ? { mode: 'TRANSACTIONAL', transaction } : { transaction });
  }
});

test.each<[V1Method, Plain]>([
  ['Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entity }] }],
  ['Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ delete: key }] }],
  ['Commit', { singleUseTransaction: { readWrite: {} } }],
  ['BeginTransaction', {}],
  ['BeginTransaction', { transactionOptions: { readWrite: {} } }],
  ['Lookup', { keys: [key], readOptions: { newTransaction: {} } }],
  ['RunQuery', { query, readOptions: { newTransaction: { readWrite: {} } } }],
  ['RunAggregationQuery', { ...count, readOptions: { newTransaction: {} } }],
  ['AllocateIds', { keys: [{ path: [{ kind: 'K' }] }] }],
  ['ReserveIds', { keys: [key] }],
])('who may only read does not call %s %j', async (method, request) => {
  await expect(reader.call(method, request)).rejects.toMatchObject({ code: 'V1_READ_ONLY' });
  const { found } = await writer.call<{ found: unknown[] }>('Lookup', { keys: [key] });
  expect(found).toHaveLength(1);
});

test('what another began as read-write is not written with either', async () => {
  const { transaction } = await writer.call('BeginTransaction', {});
  await expect(reader.call('Commit', { transaction, mutations: [{ delete: key }] })).rejects.toMatchObject({ code: 'V1_READ_ONLY' });
});
