// What the steps of index work share: which rows come next, in bounded reads.
import { keyAfter, keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Row, type StoreReader } from '../storage/port.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { type Partition, partitionOfRow } from '../codec/row-key.ts';

/** What counts the rows that index work writes and deletes. */
export interface RowCounts {
  /** Call it in the turn of a submission, and what it returns when the rows are counted, or have failed. */
  begin(): () => void;
  /** Rows that are durable now. */
  wrote(appId: string, changes: readonly RowChange[]): void;
}

/** Submits `commit` in this turn, and counts its rows when they are durable. */
export async function counted(counts: RowCounts, appId: string, changes: readonly RowChange[], commit: () => Promise<void>): Promise<void> {
  const end = counts.begin();
  try {
    await commit();
    counts.wrote(appId, changes);
  } finally {
    end();
  }
}

/** Partitions that one step looks into before it notes how far it came. */
const PARTITIONS_MAX = 50;

export interface NextRows {
  readonly rows: readonly Row[];
  /** How far the step has come: everything up to here is in `rows`. Absent at the end. */
  readonly progress?: Buffer;
}

/**
 * The next rows of `family` (all rows of an app in one row family) behind `progress`, of those that in each partition begin
 * with `prefixIn`. No rows but progress: there may be more. No progress: there are none.
 */
export async function nextRows(
  reader: StoreReader,
  family: KeyRange,
  prefixIn: (partition: Partition) => Buffer,
  progress: Buffer | undefined,
  options: { readonly rowsMax: number; readonly keysOnly: boolean },
): Promise<NextRows> {
  let from = progress ? keyAfter(progress) : family.from;
  for (let partitions = 0; partitions < PARTITIONS_MAX; partitions++) {
    const [first] = await rowsOf(reader, { from, to: family.to }, { rowsMax: 1, keysOnly: true });
    if (!first) return { rows: [] };
    const wanted = prefixRange(prefixIn(partitionOfRow(first.key)));
    const range = { from: Buffer.compare(from, wanted.from) > 0 ? from : wanted.from, to: wanted.to };
    const rows = Buffer.compare(range.from, range.to) < 0 ? await rowsOf(reader, range, options) : [];
    const last = rows.at(-1);
    if (last) return { rows, progress: last.key };
    from = endOfPartition(first.key, family);
  }
  return { rows: [], progress: from };
}

/** Above every row of the partition of `key`, in its family, and no row's key itself. */
function endOfPartition(key: Buffer, family: KeyRange): Buffer {
  const { entities } = partitionOfRow(key);
  return keyAfterPrefix(Buffer.concat([key.subarray(0, 1), entities.subarray(1)])) ?? family.to;
}

async function rowsOf(
  reader: StoreReader,
  range: KeyRange,
  { rowsMax, keysOnly }: { readonly rowsMax: number; readonly keysOnly: boolean },
): Promise<readonly Row[]> {
  const scan = reader.scan(range, { limit: rowsMax, keysOnly });
  try {
    const all: Row[] = [];
    for (let rows = await scan.next(rowsMax); rows.length > 0; rows = await scan.next(rowsMax)) all.push(...rows);
    return all;
  } finally {
    await scan.close();
  }
}
