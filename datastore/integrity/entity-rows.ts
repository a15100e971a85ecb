// Whether entity rows can be read, and have the index rows that they must have.
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { describeKey } from '../../sdk/contract/key.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { readPath } from '../codec/path-code.ts';
import { entityRowKey, kindRowKey, type Partition, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type IndexRow, indexRows } from '../index/index-rows.ts';
import { indexedValues } from '../index/indexed-values.ts';
import { type Row, type StoreReader } from '../storage/port.ts';
import { rowName } from './row-name.ts';
import { type SnapshotIndexes } from './snapshot-indexes.ts';
import { reasonOf, type Suspect } from './suspect.ts';

/**
 * The index rows of an entity row: all of them are there, and no others. Throws with the reason when the row cannot be read, or
 * does not belong under its key.
 */
export function producedBy({ key, value }: Row, indexes: SnapshotIndexes): readonly IndexRow[] {
  const { partition, path, kind } = entityPlace(key);
  const entity = decodeEntity(decodeEntityRow(value).message);
  const { projectId, databaseId, namespace } = entity.key;
  if (!entityRowKey(partitionOf(projectId, databaseId, namespace), pathBytes(entity.key.path)).equals(key)) {
    throw new Error(`it holds the entity ${describeKey(entity.key)} of another key`);
  }
  const composites = indexes.maintained(partition.appId, kind, kindRowKey(partition, kind, path));
  return indexRows(partition, kind, path, indexedValues(entity.properties, partition.appId), composites);
}

/** Checks rows of one snapshot against their index rows. */
export async function checkEntityRows(reader: StoreReader, rows: readonly Row[], indexes: SnapshotIndexes): Promise<readonly Suspect[]> {
  const suspects: Suspect[] = [];
  const wanted: { readonly key: Buffer; readonly rows: readonly IndexRow[] }[] = [];
  for (const row of rows) {
    try {
      wanted.push({ key: row.key, rows: producedBy(row, indexes) });
    } catch (error) {
      suspects.push({ problem: 'unreadable', key: row.key, detail: reasonOf(error) });
    }
  }
  const stored = await reader.getMany(wanted.flatMap((one) => one.rows.map(({ key }) => key)));
  let at = 0;
  for (const one of wanted) {
    const wrong = one.rows.filter(({ value }) => {
      const found = stored[at++];
      return !found?.equals(value);
    });
    if (wrong.length > 0) suspects.push({ problem: 'index-missing', key: one.key, detail: missingDetail(wrong, one.rows.length) });
  }
  return suspects;
}

function missingDetail(wrong: readonly IndexRow[], of: number): string {
  const [first] = wrong;
  return `${wrong.length} of its ${of} index rows ${wrong.length === 1 ? 'is' : 'are'} missing or wrong, first: ${first ? rowName(first.key) : ''}`;
}

interface EntityPlace {
  readonly partition: Partition;
  readonly path: Buffer;
  readonly kind: string;
}

function entityPlace(key: Buffer): EntityPlace {
  const reader = new OrderedReader(key, 1);
  const partition = partitionOf(reader.text(), reader.text(), reader.text());
  const path = key.subarray(reader.offset);
  const kind = readPath(reader).at(-1)?.kind;
  if (kind === undefined || !reader.atEnd) throw new Error('its key names no entity');
  return { partition, path, kind };
}
