// Whether an entity fits into its indexes (reference, section 3.6): by arithmetic, since an index that explodes has more
// rows than could be made to count them.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { ancestorPrefixes, type Partition } from '../codec/row-key.ts';
import { type CompositeIndex, describeIndex } from './composite-index.ts';
import { type IndexedValues } from './indexed-values.ts';

/** Of one entity in one composite index. */
interface Entries {
  readonly count: number;
  /** Of their keys. */
  readonly bytes: number;
}

const NONE: Entries = { count: 0, bytes: 0 };
/** `C … index` behind the partition. */
const INDEX_ID_BYTES = 4;

/** Throws DS_LIMIT, naming the index that is too much. `composites` are all that the entity must fit into. */
export function checkEntries(partition: Partition, path: Buffer, values: IndexedValues, composites: readonly CompositeIndex[]): void {
  if (composites.length === 0) return;
  let count = 0;
  let bytes = 0;
  for (const ofProperty of values.values()) count += ofProperty.length;
  for (const index of composites) {
    const entries = entriesIn(index, partition, path, values);
    count += entries.count;
    bytes += entries.bytes;
    if (count > LIMITS.indexEntriesPerEntityMax) {
      throw over(index, `an entity has at most ${LIMITS.indexEntriesPerEntityMax} index entries, this one ${count} with`);
    }
    if (bytes > LIMITS.compositeEntryBytesPerEntityMax) {
      throw over(
        index,
        `the composite index entries of an entity have at most ${LIMITS.compositeEntryBytesPerEntityMax} bytes, of this one ${bytes} with`,
      );
    }
  }
}

function entriesIn({ definition }: CompositeIndex, partition: Partition, path: Buffer, values: IndexedValues): Entries {
  let combinations = 1;
  let columnBytes = 0;
  for (const { name } of definition.properties) {
    const ofProperty = values.get(name);
    if (!ofProperty) return NONE;
    combinations *= ofProperty.length;
    columnBytes += ofProperty.reduce((sum, { length }) => sum + length, 0) / ofProperty.length;
  }
  // Each value of a column stands in as many combinations as the others: an average column, times all.
  const tailBytes = (columnBytes + path.length) * combinations;
  const heads = definition.ancestor ? ancestorPrefixes(path).map(({ length }) => length + 1) : [0];
  const fixedBytes = partition.composites.length + INDEX_ID_BYTES;
  const headBytes = heads.reduce((sum, length) => sum + fixedBytes + length, 0) * combinations;
  return { count: combinations * heads.length, bytes: Math.round(headBytes + tailBytes * heads.length) };
}

function over({ definition }: CompositeIndex, reason: string): PlatformError {
  return new PlatformError('DS_LIMIT', `${reason} the index ${describeIndex(definition)}`);
}
