import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { openDatastore } from '../../datastore/fixture.ts';
import { type EntityView, type EntityWrite, type GqlAnswerView, type GqlRequestView, type JsonKey } from '../../sdk/contract/admin/data.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { type VirtualTime } from '../../sdk/support/virtual-time.ts';
import { DatastoreViewer } from './datastore-viewer.ts';

const APP = 'guestbook';

let datastore: Datastore;
let viewer: DatastoreViewer;
let time: VirtualTime;

beforeEach(async () => {
  const open = await openDatastore();
  ({ datastore, time } = open);
  viewer = new DatastoreViewer(new InProcessRpc([datastoreAdminService(datastore)], open.time));
});

afterEach(() => datastore.close());

const keyOf = (kind: string, name?: string, namespaceId?: string): JsonKey => ({
  ...(namespaceId === undefined ? {} : { partitionId: { namespaceId } }),
  path: [name === undefined ? { kind } : { kind, name }],
});
const put = (key: JsonKey, n: number, rest: Partial<EntityWrite> = {}): Promise<EntityView> =>
  viewer.write(APP, { key, properties: { n: { integerValue: String(n) } }, mode: 'upsert', ...rest });
const numbersIn = ({ entities }: GqlAnswerView): unknown[] => entities.map(({ properties }) => Number(properties['n']?.integerValue));

const now = (): string => new Date(time.nowMs()).toISOString();

async function pages(request: GqlRequestView): Promise<GqlAnswerView[]> {
  const all: GqlAnswerView[] = [];
  for (let cursor: string | undefined; ;) {
    const answer = await viewer.query(APP, { ...request, ...(cursor === undefined ? {} : { cursor }) });
    all.push(answer);
    ({ cursor } = answer);
    if (cursor === undefined || all.length > 100) return all;
  }
}

describe('entities', () => {
  it('are written, read back by their id, and deleted', async () => {
    const written = await viewer.write(APP, {
      key: keyOf('Book', 'emma'),
      properties: { year: { integerValue: '1815' }, raw: { blobValue: '+/8=', excludeFromIndexes: true } },
      mode: 'insert',
    });
    expect(written).toMatchObject({
      name: 'Book:"emma"',
      key: { partitionId: { projectId: APP }, path: [{ kind: 'Book', name: 'emma' }] },
      version: expect.stringMatching(/^\d+$/),
    });
    expect(await viewer.entity(APP, written.id)).toEqual(written);
    await viewer.delete(APP, written.id);
    await viewer.delete(APP, written.id);
    await expect(viewer.entity(APP, written.id)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('Book:"emma"'),
    });
  });

  it('get an id for an incomplete key', async () => {
    const written = await put(keyOf('Book'), 1);
    expect(written.key.path[0]).toMatchObject({ kind: 'Book', id: expect.stringMatching(/^\d+$/) });
    expect(await viewer.entity(APP, written.id)).toEqual(written);
  });

  it('are inserted only when not there, updated only when there', async () => {
    await expect(put(keyOf('K', 'a'), 1, { mode: 'update' })).rejects.toMatchObject({ code: 'DS_NOT_FOUND' });
    await put(keyOf('K', 'a'), 1, { mode: 'insert' });
    await expect(put(keyOf('K', 'a'), 2, { mode: 'insert' })).rejects.toMatchObject({ code: 'DS_ALREADY_EXISTS' });
    await put(keyOf('K', 'a'), 3, { mode: 'update' });
  });

  it('are not overwritten by who read an older version', async () => {
    const first = await put(keyOf('K', 'a'), 1);
    const version = first.version ?? '';
    await put(keyOf('K', 'a'), 2, { version });
    await expect(put(keyOf('K', 'a'), 3, { version })).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    expect((await viewer.entity(APP, first.id)).properties).toEqual({ n: { integerValue: '2' } });
  });

  it('of another app, and ids that are none, are refused', async () => {
    const foreign: JsonKey = { partitionId: { projectId: 'other' }, path: [{ kind: 'K', name: 'a' }] };
    await expect(put(foreign, 1)).rejects.toMatchObject({ code: 'DS_FORBIDDEN' });
    const { id } = await new DatastoreViewer(new InProcessRpc([datastoreAdminService(datastore)], (await openDatastore()).time)).write(
      'other',
      {
        key: keyOf('K', 'a'),
        properties: {},
        mode: 'insert',
      },
    );
    await expect(viewer.entity(APP, id)).rejects.toMatchObject({ code: 'DS_FORBIDDEN' });
    await expect(viewer.delete(APP, id)).rejects.toMatchObject({ code: 'DS_FORBIDDEN' });
    for (const wrong of ['!', 'AAAA', '']) await expect(viewer.entity(APP, wrong)).rejects.toMatchObject({ code: 'DS_INVALID' });
  });

  it('are refused with the place of what does not fit', async () => {
    const write = { key: keyOf('K', 'a'), properties: { n: { integerValue: 'x' } }, mode: 'upsert' } as const;
    await expect(viewer.write(APP, write)).rejects.toMatchObject({ code: 'DS_INVALID', details: { field: 'properties.n.integerValue' } });
  });
});

describe('a query', () => {
  const fill = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await put(keyOf('K', `k${String(n).padStart(3, '0')}`), n);
  };

  it('comes in pages that are neither empty at the end nor overlap', async () => {
    await fill(10);
    const all = await pages({ gql: 'SELECT * FROM K ORDER BY n', pageSize: 5 });
    expect(all.map(numbersIn)).toEqual([
      [0, 1, 2, 3, 4],
      [5, 6, 7, 8, 9],
    ]);
    expect((await pages({ gql: 'SELECT * FROM K ORDER BY n DESC', pageSize: 4 })).map(numbersIn)).toEqual([
      [9, 8, 7, 6],
      [5, 4, 3, 2],
      [1, 0],
    ]);
    expect(await pages({ gql: 'SELECT * FROM Nothing' })).toEqual([{ kind: 'entities', entities: [] }]);
  });

  it("keeps the statement's own limit and offset over its pages", async () => {
    await fill(10);
    expect((await pages({ gql: 'SELECT * FROM K ORDER BY n LIMIT 5 OFFSET 3', pageSize: 2 })).map(numbersIn)).toEqual([
      [3, 4],
      [5, 6],
      [7],
    ]);
    expect((await pages({ gql: 'SELECT * FROM K LIMIT 0' })).map(numbersIn)).toEqual([[]]);
    expect((await pages({ gql: 'SELECT * FROM K LIMIT 10', pageSize: 10 })).map(numbersIn)).toHaveLength(1);
  });

  it(`has 50 results a page unless asked for others, and at most ${LIMITS.queryBatchResultsMax}`, async () => {
    for (let n = 0; n < 320; n += 1) await put(keyOf('K', `k${String(n).padStart(3, '0')}`), n);
    expect((await viewer.query(APP, { gql: 'SELECT * FROM K' })).entities).toHaveLength(50);
    const [first, second] = await pages({ gql: 'SELECT * FROM K', pageSize: LIMITS.queryBatchResultsMax });
    expect([first?.entities.length, second?.entities.length]).toEqual([300, 20]);
  });

  it('takes arguments by name and by position', async () => {
    for (let n = 0; n < 5; n++) await put(keyOf('K', `k${n}`), n);
    const gql = 'SELECT * FROM K WHERE n IN @list OR n > @1';
    const named = { list: { arrayValue: { values: [{ integerValue: '0' }, { integerValue: '2' }] } } };
    expect(numbersIn(await viewer.query(APP, { gql, named, positional: [{ integerValue: '3' }] })).sort()).toEqual([0, 2, 4]);
    await expect(viewer.query(APP, { gql, named })).rejects.toMatchObject({ code: 'GQL_BIND' });
    await expect(viewer.query(APP, { gql, named: { list: {} }, positional: [] })).rejects.toMatchObject({
      message: expect.stringContaining('the argument list') as string,
    });
  });

  it('explains itself: what it scans and what it read', async () => {
    await fill(10);
    const { plan } = await viewer.query(APP, { gql: 'SELECT * FROM K WHERE n >= 5', explain: true });
    expect(plan).toEqual({ scans: ['property K.n, forward: n >= 5'], indexRowsRead: 5, entitiesRead: 5 });
    expect((await viewer.query(APP, { gql: 'SELECT * FROM K' })).plan).toBeUndefined();
  });

  it('aggregates', async () => {
    await fill(4);
    expect(await viewer.query(APP, { gql: 'SELECT COUNT(*) AS n, SUM(n) AS total FROM K', explain: true })).toMatchObject({
      kind: 'aggregation',
      entities: [],
      values: { n: { integerValue: '4' }, total: { integerValue: '6' } },
      plan: { scans: [expect.any(String)] },
    });
  });

  it('of keys alone, or of some properties, has no version', async () => {
    await fill(1);
    const [onlyKey] = (await viewer.query(APP, { gql: 'SELECT __key__ FROM K' })).entities;
    expect(onlyKey).toMatchObject({ name: 'K:"k000"', properties: {} });
    expect(onlyKey).not.toHaveProperty('version');
    expect((await viewer.entity(APP, onlyKey?.id ?? '')).version).toBeDefined();
  });

  it('looks into the namespace that it is given', async () => {
    await put(keyOf('K', 'a', 'tenant'), 7);
    expect(numbersIn(await viewer.query(APP, { gql: 'SELECT * FROM K', namespace: 'tenant' }))).toEqual([7]);
    expect(numbersIn(await viewer.query(APP, { gql: 'SELECT * FROM K' }))).toEqual([]);
  });

  it('that is wrong says line and column, and shows the place', async () => {
    const failed = await viewer.query(APP, { gql: 'SELECT *\nFRM K' }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(PlatformError);
    expect(failed).toMatchObject({ code: 'GQL_SYNTAX', details: { line: 2, column: 1 } });
    expect((failed as PlatformError).message).toMatch(/\n {2}FRM K\n {2}\^/);
  });

  it('without its index says which lines it wants', async () => {
    await expect(viewer.query(APP, { gql: 'SELECT * FROM K WHERE a = 1 ORDER BY b' })).rejects.toMatchObject({ code: 'DS_NEED_INDEX' });
  });

  it.each(['', 'x', '1.2', '1.2.!', '99999999999.0.AA', '0.0.AA'])('refuses the cursor %j', async (cursor) => {
    await expect(viewer.query(APP, { gql: 'SELECT * FROM K', cursor })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });

  it('refuses the cursor of another statement', async () => {
    await fill(3);
    const { cursor = '' } = await viewer.query(APP, { gql: 'SELECT * FROM K', pageSize: 1 });
    await expect(viewer.query(APP, { gql: 'SELECT * FROM L', cursor })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });
});

describe('lists', () => {
  it('name namespaces and kinds', async () => {
    await put(keyOf('K', 'a'), 1);
    await put(keyOf('L', 'a', 'tenant'), 1);
    expect(await viewer.namespaces(APP)).toEqual(['', 'tenant']);
    expect(await viewer.kinds(APP, '')).toEqual([{ kind: 'K' }]);
    expect(await viewer.kinds(APP, 'tenant')).toEqual([{ kind: 'L' }]);
  });
});

describe('an earlier time', () => {
  it('is what all pages of a query and an aggregation are of', async () => {
    for (let at = 0; at < 5; at++) await put(keyOf('Book', `b${at}`), at);
    time.advance(1_000);
    const readTime = now();
    time.advance(1_000);
    for (let at = 0; at < 5; at++) await put(keyOf('Book', `b${at}`), at + 10);
    await put(keyOf('Book', 'new'), 99);
    const all = await pages({ gql: 'SELECT * FROM Book ORDER BY n', pageSize: 2, readTime });
    expect(all.map(numbersIn)).toEqual([[0, 1], [2, 3], [4]]);
    expect((await viewer.query(APP, { gql: 'SELECT SUM(n) AS s FROM Book', readTime })).values).toEqual({ s: { integerValue: '10' } });
    await expect(viewer.query(APP, { gql: 'SELECT * FROM Book', readTime: 'yesterday' })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });
});
