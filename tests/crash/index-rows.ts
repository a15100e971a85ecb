// Compares the index rows on disk, one by one, with those that the entities on disk call for.
import { FAMILY, kindRowKey, partitionOf, pathBytes } from '../../datastore/codec/row-key.ts';
import { OrderedReader } from '../../datastore/codec/ordered-reader.ts';
import { decodeEntityRow } from '../../datastore/codec/entity-row.ts';
import { IndexCatalog } from '../../datastore/index/index-catalog.ts';
import { indexRows } from '../../datastore/index/index-rows.ts';
import { indexedValues } from '../../datastore/index/indexed-values.ts';
import { prefixRange } from '../../datastore/storage/key-bytes.ts';
import { type Row, type Store } from '../../datastore/storage/port.ts';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';

export interface RowComparison {
  readonly entities: number;
  readonly indexRows: number;
  /** In words, a few of them. */
  readonly differences: readonly string[];
}

/** Nothing may be written meanwhile. */
export async function compareRowsOf(store: Store): Promise<RowComparison> {
  const catalog = new IndexCatalog(store);
  await catalog.start();
  const want = new Map<string, string>();
  const entities = await allRows(store, FAMILY.entity);
  for (const { value } of entities) {
    const { key, properties } = decodeEntity(decodeEntityRow(value).message);
    const partition = partitionOf(key.projectId, key.databaseId, key.namespace);
    const kind = key.path.at(-1)?.kind ?? '';
    const path = pathBytes(key.path);
    const maintained = catalog.maintained(key.projectId, kind, () => kindRowKey(partition, kind, path));
    for (const row of indexRows(partition, kind, path, indexedValues(properties, key.projectId), maintained)) {
      want.set(row.key.toString('latin1'), row.value.toString('hex'));
    }
  }
  const differences: string[] = [];
  const differ = (what: string, name: string): void => {
    if (differences.length < 10) differences.push(`${what}: ${Buffer.from(name, 'latin1').toString('hex')}`);
  };
  let indexCount = 0;
  for (const family of [FAMILY.kind, FAMILY.property, FAMILY.composite]) {
    for (const { key, value } of await allRows(store, family)) {
      indexCount++;
      const name = key.toString('latin1');
      const wanted = want.get(name);
      want.delete(name);
      if (wanted === undefined && !(family === FAMILY.composite && isOfFailed(catalog, key)))
        differ('an index row without its entity', name);
      else if (wanted !== undefined && wanted !== value.toString('hex')) differ('an index row with another value', name);
    }
  }
  for (const name of want.keys()) differ('an entity without its index row', name);
  return { entities: entities.length, indexRows: indexCount, differences };
}

/** An index in error keeps the rows it has until it is deleted; a deleted one loses them step by step. */
function isOfFailed(catalog: IndexCatalog, compositeRow: Buffer): boolean {
  const reader = new OrderedReader(compositeRow, 1);
  const appId = reader.text();
  reader.skipStr();
  reader.skipStr();
  const index = catalog.find(appId, reader.uint32());
  return index?.state === 'error' || index?.state === 'deleting';
}

async function allRows(store: Store, family: number): Promise<readonly Row[]> {
  const all: Row[] = [];
  const scan = store.scan(prefixRange(Buffer.from([family])));
  for (let rows = await scan.next(1_000); rows.length > 0; rows = await scan.next(1_000)) all.push(...rows);
  await scan.close();
  return all;
}
