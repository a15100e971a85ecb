import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CommitResponse,
  type LookupResponse,
  queryToWire,
  type RunAggregationResponse,
  type RunQueryResponse,
} from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, decodeValue, encodeKey, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { decodeBody, encodeFrame } from '../../sdk/contract/wire/frame.ts';
import { type Datastore } from '../datastore.ts';
import { APP, key, openDatastore, query, value, where, write } from '../fixture.ts';
import { datastoreAdminService, datastoreService } from './wire-service.ts';

describe('datastore over the wire', () => {
  let datastore: Datastore;
  let call: <T>(method: string, payload: unknown, service?: string) => Promise<T>;

  beforeEach(async () => {
    const { datastore: opened, time } = await openDatastore();
    datastore = opened;
    const rpc = new InProcessRpc([datastoreService(datastore, APP), datastoreAdminService(datastore)], time);
    // Through the frames, so that payloads are what they become on a socket.
    const framed = (payload: unknown): unknown => decodeBody(encodeFrame(payload).subarray(4));
    call = async <T>(method: string, payload: unknown, service = 'datastore') =>
      framed(await rpc.call(service, method, framed(payload))) as T;
  });

  afterEach(() => datastore.close());

  it('commits, looks up and queries', async () => {
    const { results, commitTimeMicros } = await call<CommitResponse>('commit', {
      mutations: [write('insert', key('K', 'a'), { n: 1n }), write('insert', key('K'), { n: 2n })],
    });
    // No more than an SDK of any time has been answered.
    expect(results[0]).toEqual({ version: commitTimeMicros });
    expect(results[1]?.key).toBeDefined();
    const { found, missing } = await call<LookupResponse>('lookup', { keys: [encodeKey(key('K', 'a')), encodeKey(key('K', 'b'))] });
    expect([found.length, missing.length]).toEqual([1, 1]);
    const answer = await call<RunQueryResponse>('runQuery', {
      query: queryToWire(query('K', { filter: where('n', '>', 1n) })),
      explain: true,
    });
    expect(answer).toMatchObject({ resultKind: 'full', skipped: 0, more: 'no-more', plan: { scans: ['property K.n, forward: n > 1'] } });
    expect(answer.results.map(({ entity }) => decodeEntity(entity).properties.n)).toEqual([value(2n)]);
    const next = await call<RunQueryResponse>('runQuery', { query: { ...answer.query, startCursor: answer.endCursor } });
    expect(next.results).toEqual([]);
  });

  it('runs GQL, and aggregations by their own method', async () => {
    await call('commit', { mutations: [write('insert', key('K', 'a'), { n: 1n }), write('insert', key('K', 'b'), { n: 2n })] });
    const gql = (text: string, named = {}): unknown => ({ gql: { text, databaseId: '', namespace: '', named, positional: [] } });
    const answer = await call<RunQueryResponse>('runQuery', gql('SELECT * FROM K WHERE n = @n', { n: { value: encodeValue(value(2n)) } }));
    expect(answer.results).toHaveLength(1);
    const { values } = await call<RunAggregationResponse>('runAggregation', gql('SELECT COUNT(*) AS c FROM K'));
    expect(values.map((one) => [one.alias, decodeValue(one.value)])).toEqual([['c', value(2n)]]);
    const wrong = { code: 'DS_INVALID' };
    await expect(call('runQuery', gql('SELECT COUNT(*) AS c FROM K'))).rejects.toMatchObject(wrong);
    await expect(call('runAggregation', gql('SELECT * FROM K'))).rejects.toMatchObject(wrong);
    await expect(call('runQuery', {})).rejects.toMatchObject(wrong);
    await expect(call('runQuery', gql('SELEC * FROM K'))).rejects.toMatchObject({ code: 'GQL_SYNTAX' });
  });

  it('begins, commits and rolls back transactions', async () => {
    const { transaction } = await call<{ readonly transaction: Uint8Array }>('beginTransaction', {});
    await call('lookup', { keys: [encodeKey(key('K', 'a'))], transaction });
    await call('commit', { mutations: [write('insert', key('K', 'a'), {})], transaction });
    await expect(call('rollback', { transaction })).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
    const second = await call<{ readonly transaction: Uint8Array }>('beginTransaction', { readOnly: true });
    await call('rollback', second);
  });

  it('reads at an earlier time', async () => {
    const first = await call<CommitResponse>('commit', { mutations: [write('insert', key('K', 'a'), { n: 1n })] });
    await call('commit', { mutations: [write('update', key('K', 'a'), { n: 2n }), write('insert', key('K', 'b'), { n: 2n })] });
    const readTime = first.commitTimeMicros;
    const { found } = await call<LookupResponse>('lookup', { keys: [encodeKey(key('K', 'a')), encodeKey(key('K', 'b'))], readTime });
    expect(found.map(({ entity }) => decodeEntity(entity).properties.n)).toEqual([value(1n)]);
    const { results } = await call<RunQueryResponse>('runQuery', {
      query: queryToWire(query('K', { filter: where('n', '=', 1n) })),
      readTime,
    });
    expect(results).toHaveLength(1);
    const gql = { text: 'SELECT COUNT(*) AS c FROM K', databaseId: '', namespace: '', named: {}, positional: [] };
    const { values } = await call<RunAggregationResponse>('runAggregation', { gql, readTime });
    expect(values.map((one) => decodeValue(one.value))).toEqual([value(1n)]);
    const { transaction } = await call<{ readonly transaction: Uint8Array }>('beginTransaction', { readOnly: true, readTime });
    expect((await call<LookupResponse>('lookup', { keys: [encodeKey(key('K', 'b'))], transaction })).found).toEqual([]);
    await expect(call('beginTransaction', { readTime })).rejects.toMatchObject({ code: 'DS_INVALID' });
    await expect(call('lookup', { keys: [], readTime: 'now' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(call('lookup', { keys: [encodeKey(key('K', 'b'))], readTime: 1n })).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
  });

  it('allocates ids', async () => {
    const { keys } = await call<{ readonly keys: readonly Uint8Array[] }>('allocateIds', {
      keys: [encodeKey(key('K')), encodeKey(key('K'))],
    });
    expect(keys).toHaveLength(2);
  });

  it.each([
    ['lookup', { keys: ['text'] }],
    ['lookup', {}],
    ['commit', { mutations: [{ op: 'merge', entity: Buffer.alloc(1) }] }],
    ['commit', { mutations: [{ op: 'upsert', entity: Buffer.alloc(1), baseVersion: 1.5 }] }],
    ['runQuery', { query: { ...query('K'), limit: -1 } }],
    ['runQuery', { query: { ...query('K'), orders: [{ property: 'n', direction: 'up' }] } }],
    ['beginTransaction', { readOnly: 'yes' }],
    ['rollback', {}],
  ])('refuses a malformed payload of %s', async (method, payload) => {
    await expect(call(method, payload)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses bytes that are no message', async () => {
    await expect(call('lookup', { keys: [Buffer.from('ffff', 'hex')] })).rejects.toMatchObject({ code: 'DS_INVALID' });
    await expect(call('commit', { mutations: [{ op: 'upsert', entity: Buffer.from('00', 'hex') }] })).rejects.toMatchObject({
      code: 'DS_INVALID',
    });
  });

  it('serves any app to the control role, with indexes and tablets', async () => {
    const admin = <T>(method: string, payload: object): Promise<T> => call<T>(method, payload, 'datastore-admin');
    await admin('commit', { appId: 'one', mutations: [write('insert', key('K', 'a'), {})] });
    expect(await admin('lookup', { appId: 'one', keys: [encodeKey(key('K', 'a'))] })).toMatchObject({ missing: [] });
    expect(await admin('lookup', { appId: 'two', keys: [encodeKey(key('K', 'a'))] })).toMatchObject({ found: [] });
    const definition = {
      kind: 'K',
      ancestor: false,
      properties: [
        { name: 'a', direction: 'asc' },
        { name: 'b', direction: 'desc' },
      ],
    };
    expect(await admin('ensureIndexes', { appId: 'one', definitions: [definition] })).toMatchObject({ indexes: [{ definition }] });
    await datastore.indexesBuilt();
    expect(await admin('listIndexes', { appId: 'one' })).toEqual({
      indexes: [{ id: 1, definition, state: 'serving', done: 1, estimate: 1 }],
    });
    expect(await admin('listIndexes', { appId: 'two' })).toEqual({ indexes: [] });
    expect(await admin('tablets', {})).toMatchObject({ tablets: [{ id: 1, rows: expect.any(Number) as number }] });
    await expect(admin('lookup', { keys: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
