import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { partitionOf } from '../codec/row-key.ts';
import { APP, key, openDatastore, remove, write } from '../fixture.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { type KeyRange, type RowScan, type ScanOptions, type StoreReader } from '../storage/port.ts';
import { Meter } from './hit-source.ts';
import { listKinds, listNamespaces } from './listing.ts';

const inNamespace = (namespace: string, at: Key): Key => ({ ...at, namespace });

/** Counts the rows that leave the store. */
class CountingReader implements Pick<StoreReader, 'scan'> {
  readonly #store: StoreReader;
  rows = 0;

  constructor(store: StoreReader) {
    this.#store = store;
  }

  scan(range: KeyRange, options?: ScanOptions): RowScan {
    const scan = this.#store.scan(range, options);
    return {
      next: async (rowsMax) => {
        const rows = await scan.next(rowsMax);
        this.rows += rows.length;
        return rows;
      },
      close: () => scan.close(),
    };
  }
}

describe('the list of kinds and namespaces', () => {
  it('names what has entities, once each, in the order of bytes', async () => {
    const { datastore } = await openDatastore();
    const put = [
      key('b'),
      key('a'),
      key('a'),
      key('A'),
      key('ä'),
      key('a', 'x', 'child', 1n),
      key('a\0b', 'x'),
      inNamespace('n1', key('other', 'x')),
    ];
    await datastore.commit(
      APP,
      put.map((at) => write('upsert', at, {})),
    );
    await datastore.commit({ appId: 'guestbook2' }, [write('upsert', key('foreign', 'x'), {})]);
    const kinds = (namespace: string): Promise<readonly string[]> => datastore.listKinds(APP, { databaseId: '', namespace });
    expect(await kinds('')).toEqual(['A', 'a', 'a\0b', 'b', 'child', 'ä']);
    expect(await kinds('n1')).toEqual(['other']);
    expect(await kinds('n2')).toEqual([]);
    expect(await datastore.listNamespaces(APP, { databaseId: '' })).toEqual(['', 'n1']);
    await datastore.commit(APP, [remove(inNamespace('n1', key('other', 'x'))), remove(key('a\0b', 'x'))]);
    expect(await kinds('')).toEqual(['A', 'a', 'b', 'child', 'ä']);
    expect(await datastore.listNamespaces(APP, { databaseId: '' })).toEqual(['']);
    expect(await datastore.listNamespaces({ appId: 'nobody' }, { databaseId: '' })).toEqual([]);
    await datastore.close();
  });

  it('reads one row for each, however many entities there are', async () => {
    const store = new MemoryStore();
    const { datastore } = await openDatastore({ store });
    for (const namespace of ['', 'n1', 'n2']) {
      for (const kind of ['K', 'L', 'M', 'N']) {
        const mutations = Array.from({ length: 300 }, () => write('insert', inNamespace(namespace, key(kind)), {}));
        await datastore.commit(APP, mutations);
      }
    }
    const counting = new CountingReader(store);
    const reader = counting as unknown as StoreReader;
    const meter = new Meter(Infinity);
    expect(await listKinds(reader, partitionOf('guestbook', '', 'n1'), 1_000, meter)).toEqual(['K', 'L', 'M', 'N']);
    expect([counting.rows, meter.indexRows]).toEqual([4, 4]);
    counting.rows = 0;
    expect(await listNamespaces(reader, 'guestbook', '', 1_000, new Meter(Infinity))).toEqual(['', 'n1', 'n2']);
    expect(counting.rows).toBe(3);
    counting.rows = 0;
    expect(await listKinds(reader, partitionOf('guestbook', '', ''), 2, new Meter(Infinity))).toEqual(['K', 'L']);
    expect(counting.rows).toBe(2);
    await datastore.close();
  });

  it('is bounded, and refuses a namespace that cannot be', async () => {
    const { datastore } = await openDatastore();
    for (let from = 0; from <= LIMITS.kindsListedMax; from += 500) {
      const mutations = Array.from({ length: 500 }, (_, at) => write('upsert', key(`k${String(from + at).padStart(5, '0')}`, 'x'), {}));
      await datastore.commit(APP, mutations);
    }
    expect(await datastore.listKinds(APP, { databaseId: '', namespace: '' })).toHaveLength(LIMITS.kindsListedMax);
    await expect(datastore.listKinds(APP, { databaseId: '', namespace: 'a b' })).rejects.toMatchObject({ code: 'DS_INVALID' });
    await datastore.close();
  });
});
