import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Finding } from '../../sdk/contract/admin/integrity.ts';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { encodeEntityRow } from '../codec/entity-row.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { entityRowKey, kindPrefix, partitionOf, pathBytes, propertyPrefix } from '../codec/row-key.ts';
import { type Datastore } from '../datastore.ts';
import { APP, key, openDatastore, properties, remove, write } from '../fixture.ts';
import { decodeIndex, encodeIndex } from '../index/index-row.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Row, type Store } from '../storage/port.ts';
import { scatteredId } from '../transaction/id-allocator.ts';
import { type CheckScope, type CheckStep } from './checker.ts';

let datastore: Datastore;
let store: Store;

beforeEach(async () => {
  ({ datastore, store } = await openDatastore());
  await datastore.ensureIndexes(APP, [
    {
      kind: 'K',
      ancestor: true,
      properties: [
        { name: 'n', direction: 'desc' },
        { name: 't', direction: 'asc' },
      ],
    },
  ]);
  await datastore.indexesBuilt();
  await datastore.commit(APP, [
    write('insert', key('K', 1n), { n: 1n, t: ['a', 'b'] }),
    write('insert', key('P', 'p', 'K', 'x'), { n: 2n, t: 'c', s: null }),
    write('insert', { ...key('K', 'there'), namespace: 'ns', databaseId: 'db' }, { n: 3n, t: 'd' }),
  ]);
  await datastore.reserveIds(APP, [encodeKey(key('K', scatteredId(77_777)))]);
});

afterEach(() => datastore.close());

const partition = partitionOf(APP.appId, '', '');
const entityKey = entityRowKey(partition, pathBytes(key('K', 1n).path));
const family = (name: string): KeyRange => prefixRange(Buffer.from(name));

async function rowsOf(range: KeyRange): Promise<readonly Row[]> {
  const scan = store.scan(range);
  const rows: Row[] = [];
  for (let chunk = await scan.next(1_000); chunk.length > 0; chunk = await scan.next(1_000)) rows.push(...chunk);
  await scan.close();
  return rows;
}

async function put(rows: readonly { readonly key: Buffer; readonly value?: Buffer }[]): Promise<void> {
  const transaction = store.begin();
  for (const row of rows) {
    if (row.value) transaction.put(row.key, row.value);
    else transaction.delete(row.key);
  }
  await transaction.commit();
}

async function steps(scope: CheckScope = APP, repair = false): Promise<readonly CheckStep[]> {
  const all: CheckStep[] = [];
  for (let from: Uint8Array | undefined; ;) {
    const step = await datastore.checker.step(scope, { repair, ...(from ? { from } : {}) });
    all.push(step);
    from = step.next;
    if (!from) return all;
  }
}

async function findings(scope: CheckScope = APP, repair = false): Promise<readonly Finding[]> {
  return (await steps(scope, repair)).flatMap((step) => step.findings);
}

const problems = (found: readonly Finding[]): string[] => found.map((finding) => `${finding.family} ${finding.problem}`);

describe('the check of all rows', () => {
  it('reads history rows too', async () => {
    await datastore.commit(APP, [write('update', key('K', 1n), { n: 5n }), remove(key('P', 'p', 'K', 'x'))]);
    const history = await rowsOf(family('H'));
    expect(await findings({})).toEqual([]);
    const [ofEntity, ofIndex] = [history.find(({ value }) => value.length > 0)!, history.find(({ value }) => value.length === 0)!];
    await put([
      { key: ofEntity.key, value: ofEntity.value.subarray(0, ofEntity.value.length - 1) },
      { key: ofIndex.key, value: Buffer.from([1]) },
    ]);
    expect(problems(await findings({}))).toEqual(['H unreadable', 'H unreadable']);
  });

  it('finds nothing in what commits wrote, and counts it by family', async () => {
    await datastore.commit(APP, [write('update', key('K', 1n), { n: 5n, t: ['b', 'c'] }), remove(key('P', 'p', 'K', 'x'))]);
    await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
    await datastore.close();
    await datastore.start();
    expect(await findings()).toEqual([]);
    expect(await findings({})).toEqual([]);
    const [all] = await steps({});
    // K:1 has two combinations of values, its ancestors are itself alone.
    expect(all?.families).toMatchObject({ E: 2, K: 2, P: 5, C: 3, X: 1, D: 1, A: 1, M: 1 });
    expect(all?.rows).toBe(Object.values(all?.families ?? {}).reduce((sum, rows) => sum + rows, 0));
  });

  it.each(['K', 'P', 'C'])('reports an entity without a %s row', async (name) => {
    const rows = await rowsOf(family(name));
    for (const row of rows) {
      await put([{ key: row.key }]);
      const found = await findings();
      expect(problems(found)).toEqual(['E index-missing']);
      expect(found[0]?.detail).toMatch(/^1 of its \d index rows is missing or wrong, first: guestbook/);
      await put([row]);
    }
    expect(rows.length).toBeGreaterThan(2);
    expect(await findings()).toEqual([]);
  });

  it('reports every index row of an entity that is gone', async () => {
    const [entity] = await rowsOf({ from: entityKey, to: Buffer.concat([entityKey, Buffer.from([0])]) });
    await put([{ key: entityKey }]);
    const found = await findings();
    expect(problems(found).sort()).toEqual(['C', 'C', 'K', 'P', 'P', 'P'].map((name) => `${name} index-orphan`));
    expect(found.every(({ detail }) => detail === 'its entity is not there')).toBe(true);
    await put([{ key: entityKey, value: entity!.value }]);
    expect(await findings()).toEqual([]);
  });

  it('reports index rows that the entity does not produce, or with another value', async () => {
    const path = pathBytes(key('K', 1n).path);
    const wrongValue = new OrderedWriter()
      .raw(propertyPrefix(partition, 'K', 't'))
      .byte(0x28)
      .text('z')
      .raw(path)
      .take();
    const wrongKind = Buffer.concat([kindPrefix(partition, 'Other'), path]);
    await put([
      { key: wrongValue, value: Buffer.alloc(0) },
      { key: wrongKind, value: Buffer.alloc(0) },
    ]);
    expect(problems(await findings())).toEqual(['K index-orphan', 'P index-orphan']);
    await put([{ key: wrongValue }, { key: wrongKind }]);
    const [composite] = await rowsOf(family('C'));
    await put([{ key: composite!.key, value: Buffer.from([composite!.value.length === 0 ? 1 : 0]) }]);
    expect(problems(await findings())).toEqual(['C index-orphan', 'E index-missing']);
  });

  it('reports an entity row of which one byte is wrong, wherever it is, and not its index rows', async () => {
    const [entity] = await rowsOf({ from: entityKey, to: Buffer.concat([entityKey, Buffer.from([0])]) });
    const { value } = entity!;
    for (let at = 0; at < value.length; at++) {
      const changed = Buffer.from(value);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      await put([{ key: entityKey, value: changed }]);
      expect(problems(await findings())).toEqual(['E unreadable']);
    }
    await put([{ key: entityKey, value: value.subarray(0, 20) }]);
    expect(problems(await findings())).toEqual(['E unreadable']);
  });

  it('reports an entity that lies below the key of another', async () => {
    const message = [encodeEntity({ key: { ...key('K', 2n), projectId: APP.appId }, properties: properties({}) })];
    await put([{ key: entityKey, value: encodeEntityRow({ version: 1n, createdMicros: 1n, updatedMicros: 1n, message }) }]);
    const [found] = await findings();
    expect(found).toMatchObject({
      family: 'E',
      problem: 'unreadable',
      row: 'guestbook K:1',
      detail: 'it holds the entity K:2 of another key',
    });
  });

  it('reports rows of a composite index that is not there, and says nothing of one that cannot be read', async () => {
    const [index] = await rowsOf(family('X'));
    await put([{ key: index!.key, value: Buffer.from([9]) }]);
    expect(problems(await findings())).toEqual(['X unreadable']);
    await put([{ key: index!.key }]);
    expect(new Set(problems(await findings()))).toEqual(new Set(['C index-unknown']));
  });

  it('leaves the rows of an index that is being deleted alone', async () => {
    const [row] = await rowsOf(family('X'));
    await put([{ key: row!.key, value: encodeIndex({ ...decodeIndex(1, row!.value), state: 'deleting' }) }]);
    await put((await rowsOf(family('C'))).slice(0, 1).map((one) => ({ key: one.key })));
    expect(await findings(APP, true)).toEqual([]);
    expect((await rowsOf(family('C'))).length).toBeGreaterThan(2);
  });

  it.each([
    ['A', Buffer.from([9])],
    ['D', Buffer.from('no settings')],
    ['M', Buffer.from([1])],
    ['X', Buffer.from([1, 7])],
    ['S', Buffer.from([1, 0])],
  ])('reports %s rows that cannot be read', async (name, value) => {
    await datastore.settings.change(APP.appId, (settings) => settings);
    await datastore.close();
    await store.start();
    const rows = await rowsOf(family(name));
    expect(rows.length).toBeGreaterThan(0);
    await put(rows.map((row) => ({ key: row.key, value })));
    for (const scope of [APP, {}]) expect(problems(await findings(scope))).toContain(`${name} unreadable`);
    await put(rows);
    await store.close();
    await datastore.start();
  });

  it('reports rows of unknown families, wherever they lie, and keys that end early', async () => {
    const keys = ['\x01x', 'Ba', 'Zguestbook\0\x01', '~', 'Kguestbook\0\x01\0\x01\0\x01', 'Eguestbook\0\x01\0\x01\0\x01'].map((text) =>
      Buffer.from(text, 'latin1'),
    );
    await put(keys.map((one) => ({ key: one, value: Buffer.alloc(3) })));
    const wanted = ['0x01 family-unknown', 'B family-unknown', 'E unreadable', 'K unreadable', 'Z family-unknown', '~ family-unknown'];
    for (const scope of [APP, {}]) expect(problems(await findings(scope)).sort()).toEqual(wanted);
  });

  it('reports tablets that are no map of the key space', async () => {
    const [first] = await rowsOf(family('M'));
    await put([{ key: Buffer.from('Mguestbook'), value: first!.value }]);
    expect(problems(await findings())).toEqual(['M tablets-broken']);
    await put([{ key: first!.key }]);
    expect(await findings()).toMatchObject([
      { problem: 'tablets-broken', detail: expect.stringContaining('no tablet holds the keys before') as string },
    ]);
  });

  it('looks at one app alone when asked to, and at the others when not', async () => {
    await datastore.commit({ appId: 'other' }, [write('insert', key('K', 1n), { n: 1n })]);
    const [kind] = await rowsOf(prefixRange(Buffer.from('Kother')));
    await put([{ key: kind!.key }]);
    expect(await findings()).toEqual([]);
    expect(problems(await findings({ appId: 'other' }))).toEqual(['E index-missing']);
    expect(problems(await findings({}))).toEqual(['E index-missing']);
  });

  it('does not miss indexes that are built, nor ask for rows of one that is not', async () => {
    const building = datastore.ensureIndexes(APP, [{ kind: 'K', ancestor: false, properties: [{ name: 'n', direction: 'asc' }] }]);
    expect(await findings()).toEqual([]);
    await building;
    await datastore.indexesBuilt();
    expect(await findings()).toEqual([]);
    expect((await steps())[0]?.families).toMatchObject({ C: 8 });
  });

  it('goes in bounded steps over any number of rows, while they are written, and reports nothing that commits did', async () => {
    for (let at = 0; at < 10; at++) {
      await datastore.commit(
        APP,
        Array.from({ length: 100 }, (_, n) => write('upsert', key('K', BigInt(at * 100 + n + 1)), { n: BigInt(n), t: [`${at}`, 'x'] })),
      );
    }
    let from: Uint8Array | undefined;
    let walked = 0;
    do {
      const [step] = await Promise.all([
        datastore.checker.step(APP, from ? { from } : {}),
        datastore.commit(
          APP,
          Array.from({ length: 50 }, (_, n) =>
            write('upsert', key('K', BigInt(((walked * 7 + n * 13) % 1_000) + 1)), { n: BigInt(walked), t: `${n}` }),
          ),
        ),
      ]);
      expect(step.findings).toEqual([]);
      expect(step.rows).toBeLessThanOrEqual(LIMITS.integrityStepRowsMax + 32);
      walked += step.rows;
      from = step.next;
    } while (from);
    expect(walked).toBeGreaterThan(4_000);
  });

  it('writes index rows again from their entities, deletes those that none produces, and leaves entities alone', async () => {
    const before = await rowsOf(prefixRange(Buffer.from('E')));
    const all = await rowsOf({ from: Buffer.alloc(0), to: Buffer.from('[') });
    const path = pathBytes(key('K', 1n).path);
    const [composites, props, kinds] = [await rowsOf(family('C')), await rowsOf(family('P')), await rowsOf(family('K'))];
    await put([
      { key: composites[0]!.key, value: Buffer.from([7]) },
      { key: composites[1]!.key },
      { key: props[0]!.key },
      { key: props[1]!.key, value: Buffer.from([7]) },
      { key: kinds[0]!.key },
      { key: Buffer.concat([kindPrefix(partition, 'Other'), path]), value: Buffer.alloc(0) },
      { key: Buffer.from('Kguestbook\0\x01\0\x01\0\x01', 'latin1'), value: Buffer.alloc(0) },
      { key: Buffer.concat([composites[0]!.key.subarray(0, 14), Buffer.from([0, 0, 0, 9]), path]), value: Buffer.alloc(0) },
    ]);
    const bytesBefore = datastore.tabletServer.list()[0]!.bytes;
    const found = await findings(APP, true);
    expect(found.every(({ repaired }) => repaired !== undefined)).toBe(true);
    expect(new Set(found.map(({ repaired }) => repaired))).toContain('deleted the row');
    expect(await findings()).toEqual([]);
    expect(await rowsOf(prefixRange(Buffer.from('E')))).toEqual(before);
    expect(await rowsOf({ from: Buffer.alloc(0), to: Buffer.from('[') })).toEqual(all);
    expect(datastore.tabletServer.list()[0]!.bytes).not.toBe(bytesBefore);
  });

  it('repairs nothing that it cannot know: an entity that is unreadable keeps its row and its index rows', async () => {
    await put([{ key: entityKey, value: Buffer.from('broken') }]);
    const rows = await rowsOf({ from: Buffer.alloc(0), to: Buffer.from('[') });
    expect(await findings(APP, true)).toMatchObject([{ problem: 'unreadable' }]);
    expect((await findings(APP, true))[0]).not.toHaveProperty('repaired');
    expect(await rowsOf({ from: Buffer.alloc(0), to: Buffer.from('[') })).toEqual(rows);
  });
});
