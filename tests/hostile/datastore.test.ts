// Security 73, 74, 75, 77 and 78: an instance that speaks the wire itself and asks the datastore for what no SDK would.
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { datastoreService } from '../../datastore/api/wire-service.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { key, openDatastore, query, type Plain, where, write } from '../../datastore/fixture.ts';
import { type ApiService } from '../../runtime/api/service-table.ts';
import {
  type BeginTransactionResponse,
  type CommitResponse,
  type LookupResponse,
  queryToWire,
  type RunQueryResponse,
  type WireGqlArgument,
} from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, encodeKey, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Query } from '../../sdk/contract/query.ts';
import { type RpcClient } from '../../sdk/contract/wire/client.ts';
import { encodeFrame } from '../../sdk/contract/wire/frame.ts';
import { type VirtualTime } from '../../sdk/support/virtual-time.ts';
import { ServiceSocket } from '../contract/service-socket.ts';

let datastore: Datastore;
let time: VirtualTime;
let sockets: ServiceSocket;
let mallory: RpcClient;
let victim: RpcClient;

const api = (): ApiService => ({
  name: 'datastore',
  resource: 'datastoreCalls',
  megacyclesPerCall: 0,
  deadlineMs: 0,
  serviceOf: ({ appId }) => datastoreService(datastore, { appId }),
});

beforeEach(async () => {
  ({ datastore, time } = await openDatastore());
  sockets = await ServiceSocket.open([api()]);
  mallory = await sockets.connect('mallory');
  victim = await sockets.connect('victim');
  await commit(victim, key('Secret', 'one'), { text: 'of the victim' });
});

afterEach(async () => {
  await sockets.close();
  await datastore.close();
});

const ofVictim = (one: Key): Key => ({ ...one, projectId: 'victim' });

function commit(rpc: RpcClient, at: Key, plain: Readonly<Record<string, Plain>>, transaction?: Uint8Array): Promise<CommitResponse> {
  const payload = { mutations: [write('upsert', at, plain)], ...(transaction ? { transaction } : {}) };
  return rpc.call('datastore', 'commit', payload) as Promise<CommitResponse>;
}

function lookup(rpc: RpcClient, at: Key, transaction?: Uint8Array): Promise<LookupResponse> {
  const payload = { keys: [encodeKey(at)], ...(transaction ? { transaction } : {}) };
  return rpc.call('datastore', 'lookup', payload) as Promise<LookupResponse>;
}

function run(rpc: RpcClient, one: Query): Promise<RunQueryResponse> {
  return rpc.call('datastore', 'runQuery', { query: queryToWire(one) }) as Promise<RunQueryResponse>;
}

function gql(rpc: RpcClient, text: string, named: Readonly<Record<string, WireGqlArgument>> = {}): Promise<RunQueryResponse> {
  const payload = { gql: { text, databaseId: '', namespace: '', named, positional: [] } };
  return rpc.call('datastore', 'runQuery', payload) as Promise<RunQueryResponse>;
}

async function begin(rpc: RpcClient): Promise<Uint8Array> {
  return ((await rpc.call('datastore', 'beginTransaction', {})) as BeginTransactionResponse).transaction;
}

async function secretOfVictim(): Promise<unknown> {
  const { found } = await lookup(victim, key('Secret', 'one'));
  return found[0] && decodeEntity(found[0].entity).properties['text'];
}

describe('73: what belongs to another app', () => {
  const secret = ofVictim(key('Secret', 'one'));

  test.each<[string, () => Promise<unknown>]>([
    ['a key to read', () => lookup(mallory, secret)],
    ['a key to write', () => commit(mallory, secret, { text: 'taken over' })],
    ['a key to delete', () => mallory.call('datastore', 'commit', { mutations: [{ op: 'delete', key: encodeKey(secret) }] })],
    ['a key to allocate ids for', () => mallory.call('datastore', 'allocateIds', { keys: [encodeKey(ofVictim(key('Secret')))] })],
    ['a key in a filter', () => run(mallory, query('Secret', { filter: where('__key__', '>=', secret) }))],
    ['an ancestor', () => run(mallory, query('Secret', { filter: where('__key__', 'has-ancestor', secret) }))],
    ['an ancestor in GQL', () => gql(mallory, `SELECT * WHERE __key__ HAS ANCESTOR KEY(PROJECT('victim'), Secret, 'one')`)],
    [
      'a bound key in GQL',
      () => gql(mallory, 'SELECT * FROM Secret WHERE __key__ = @k', { k: { value: encodeValue({ kind: 'key', value: secret }) } }),
    ],
  ])('%s is refused', async (_, attack) => {
    await expect(attack()).rejects.toMatchObject({ code: expect.stringMatching(/^(DS_FORBIDDEN|GQL_BIND)$/) as string });
    expect(await secretOfVictim()).toEqual({ kind: 'string', value: 'of the victim' });
  });

  test('a cursor is refused, and a forged one reads nothing but what is its own', async () => {
    await commit(victim, key('Secret', 'two'), { text: 'more' });
    const { endCursor } = await run(victim, query('Secret', { limit: 1 }));
    await expect(run(mallory, query('Secret', { startCursor: endCursor }))).rejects.toMatchObject({ code: 'DS_FORBIDDEN' });
    const own = (await run(mallory, query('Secret', { limit: 1 }))).endCursor;
    const forged = Buffer.concat([Buffer.from(own).subarray(0, 13), Buffer.from(endCursor).subarray(13)]);
    expect((await run(mallory, query('Secret', { startCursor: forged }))).results).toEqual([]);
  });

  test('a transaction is as if it were not there', async () => {
    const transaction = await begin(victim);
    await expect(lookup(mallory, key('Secret', 'one'), transaction)).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
    await expect(commit(mallory, key('Mine', 'x'), {}, transaction)).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
    await expect(mallory.call('datastore', 'rollback', { transaction })).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
    await commit(victim, key('Secret', 'one'), { text: 'goes on' }, transaction);
    expect(await secretOfVictim()).toEqual({ kind: 'string', value: 'goes on' });
  });

  test('kinds and namespaces of the same name are two', async () => {
    expect((await run(mallory, query('Secret'))).results).toEqual([]);
    expect((await run(mallory, query(undefined))).results).toEqual([]);
    expect((await gql(mallory, 'SELECT * FROM __kind__')).results).toEqual([]);
    expect((await gql(mallory, 'SELECT * FROM __namespace__')).results).toEqual([]);
    await expect(run(mallory, { ...query('Secret'), namespace: '../victim' })).rejects.toMatchObject({ code: 'DS_INVALID' });
    await expect(run(mallory, { ...query('Secret'), databaseId: '\0victim' })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });

  test('an app named in the payload is not asked', async () => {
    const payload = { appId: 'victim', keys: [encodeKey(key('Secret', 'one'))] };
    expect(((await mallory.call('datastore', 'lookup', payload)) as LookupResponse).found).toEqual([]);
    await expect(mallory.call('datastore-admin', 'lookup', payload)).rejects.toMatchObject({ code: 'RPC_UNKNOWN_METHOD' });
  });
});

describe('74: GQL', () => {
  test.each(["x' OR text != '", '`', "' ORDER BY __key__ --", '@other', '\\'])('the bound value %j stays a value', async (text) => {
    await commit(mallory, key('K', 'plain'), { text: 'plain' });
    const argument = { t: { value: encodeValue({ kind: 'string', value: text }) } };
    expect((await gql(mallory, 'SELECT * FROM K WHERE text = @t', argument)).results).toEqual([]);
    await commit(mallory, key('K', 'odd'), { text });
    expect((await gql(mallory, 'SELECT * FROM K WHERE text = @t', argument)).results).toHaveLength(1);
  });

  const list = (count: number): string => Array.from({ length: count }, (_, at) => at).join(', ');

  test.each<[string, string, string]>([
    ['31 values of IN', `SELECT * FROM K WHERE a IN ARRAY(${list(31)})`, 'DS_LIMIT'],
    ['100,000 values of IN', `SELECT * FROM K WHERE a IN ARRAY(${list(100_000)})`, 'GQL_TOO_LARGE'],
    ['INs that multiply', `SELECT * FROM K WHERE a IN ARRAY(${list(10)}) AND b IN ARRAY(${list(10)})`, 'DS_LIMIT'],
    ['101 filters', `SELECT * FROM K WHERE ${Array.from({ length: 101 }, (_, at) => `p${at} = 1`).join(' AND ')}`, 'DS_LIMIT'],
    ['an OFFSET beyond 32 bits', 'SELECT * FROM K OFFSET 99999999999', 'GQL_SYNTAX'],
    ['10,000 brackets', `SELECT * FROM K WHERE ${'('.repeat(10_000)}a = 1${')'.repeat(10_000)}`, 'GQL_TOO_LARGE'],
  ])('%s: an error, at once', async (_, text, code) => {
    await expect(gql(mallory, text)).rejects.toMatchObject({ code });
  });

  test('a huge OFFSET costs a bounded number of rows per call', async () => {
    for (let part = 0; part < 4; part++) {
      await mallory.call('datastore', 'commit', {
        mutations: Array.from({ length: 500 }, (_, at) => write('upsert', key('K', BigInt(part * 500 + at + 1)), {})),
      });
    }
    const payload = { query: queryToWire(query('K', { offset: 2 ** 31 - 1 })), explain: true };
    const { plan, results } = (await mallory.call('datastore', 'runQuery', payload)) as RunQueryResponse;
    expect(results).toEqual([]);
    expect((plan?.indexRowsRead ?? 0) + (plan?.entitiesRead ?? 0)).toBeLessThanOrEqual(LIMITS.queryBatchRowsMax + 1_000);
  });
});

test('75: an exploding index is an error, of the write that would explode it, and the index goes on for others', async () => {
  const properties = [
    { name: 'a', direction: 'asc' },
    { name: 'b', direction: 'asc' },
  ] as const;
  await datastore.ensureIndexes({ appId: 'mallory' }, [{ kind: 'K', ancestor: false, properties }]);
  await datastore.indexesBuilt();
  const many = Array.from({ length: 150 }, (_, at) => BigInt(at));
  await expect(commit(mallory, key('K', 'bomb'), { a: many, b: many })).rejects.toMatchObject({ code: 'DS_LIMIT' });
  await commit(mallory, key('K', 'small'), { a: [1n, 2n], b: [1n, 2n] });
  expect((await gql(mallory, 'SELECT * FROM K WHERE a = 1 ORDER BY b')).results).toHaveLength(1);
  expect((await lookup(mallory, key('K', 'bomb'))).found).toEqual([]);
});

test('77: a transaction left open ends after 60 s idle, and what it held is free', async () => {
  const at = key('K', 'held');
  await commit(mallory, at, { n: 1n });
  const transaction = await begin(mallory);
  await lookup(mallory, at, transaction);
  time.advance(LIMITS.transactionIdleMs + 10_000);
  await commit(mallory, at, { n: 2n });
  await expect(commit(mallory, at, { n: 3n }, transaction)).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
});

test('77: an app cannot hold more transactions than its limit, and others still can', async () => {
  for (let count = 0; count < LIMITS.transactionsOpenMax; count++) await begin(mallory);
  await expect(begin(mallory)).rejects.toMatchObject({ code: 'DS_LIMIT' });
  await begin(victim);
});

describe('78: a socket that is', () => {
  test('flooded does not keep another instance from its answers', async () => {
    await commit(mallory, key('K', 'x'), { text: 'x'.repeat(1_000) });
    const flood = Array.from({ length: 5_000 }, () => run(mallory, query('K')).catch((error: unknown) => error));
    for (let round = 0; round < 20; round++) expect(await secretOfVictim()).toBeDefined();
    await Promise.all(flood);
  });

  test('sent half a frame and garbage is closed, and another instance does not notice', async () => {
    const socket = connect(`${sockets.directory}/mallory.sock`);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    socket.write(encodeFrame([1, 1, 'datastore', 'lookup', {}]).subarray(0, 7));
    expect(await secretOfVictim()).toBeDefined();
    socket.write(Buffer.alloc(64, 0xc1));
    await closed;
    expect(await secretOfVictim()).toBeDefined();
  });

  test.each<[string, string, unknown]>([
    ['a key that is no bytes', 'lookup', { keys: ['K'] }],
    ['a key that is no message', 'lookup', { keys: [Buffer.from('ffffff', 'hex')] }],
    ['an entity cut in the middle', 'commit', { mutations: [{ op: 'upsert', entity: Buffer.from('0a', 'hex') }] }],
    ['a mutation of no kind', 'commit', { mutations: [{ op: 'drop', key: Buffer.alloc(0) }] }],
    ['both a query and GQL', 'runQuery', { query: queryToWire(query('K')), gql: { text: 'SELECT * FROM K' } }],
    ['neither', 'runQuery', {}],
    ['a limit below zero', 'runQuery', { query: { ...queryToWire(query('K')), limit: -1 } }],
    ['filters nested beyond reason', 'runQuery', { query: { ...queryToWire(query('K')), filter: nested(50) } }],
    ['a transaction id of a megabyte', 'rollback', { transaction: Buffer.alloc(1_000_000) }],
  ])('sent %s answers with an error that says what', async (_, method, payload) => {
    await expect(mallory.call('datastore', method, payload)).rejects.toMatchObject({
      code: expect.stringMatching(/^(INVALID_ARGUMENT|DS_INVALID|DS_LIMIT|DS_TX_INVALID|RPC_FRAME_MALFORMED)$/) as string,
    });
    expect(await secretOfVictim()).toBeDefined();
  });
});

function nested(depth: number): object {
  const filter = { kind: 'property', property: 'a', operator: '=', value: encodeValue({ kind: 'null' }) };
  return depth === 0 ? filter : { kind: 'and', filters: [nested(depth - 1), filter] };
}
