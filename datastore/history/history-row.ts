// History: what rows were before a commit overwrote or deleted them, so that the last hour can be read.
// Must not know queries or transactions: it keeps old rows, and shows the store as it was.
// Read next: history.ts (what is kept, and since when), historic-reader.ts (reading it), history-collector.ts (its end).
//
//   history row := H key version:u64 → the value of the row `key` until the commit with this version
//
// An insert writes none. Within a family the keys of rows are prefix-free, so history rows keep the order of their keys, and
// the first one of a key above a version is found with one seek.
import { FAMILY } from '../codec/row-key.ts';
import { type KeyRange } from '../storage/port.ts';

const VERSION_BYTES = 8;

export function historyKey(rowKey: Buffer, version: bigint): Buffer {
  const key = Buffer.allocUnsafe(1 + rowKey.length + VERSION_BYTES);
  key[0] = FAMILY.history;
  rowKey.copy(key, 1);
  key.writeBigUInt64BE(version, 1 + rowKey.length);
  return key;
}

/** The key of the row whose history it is; a view. */
export function rowKeyOf(key: Buffer): Buffer {
  return key.subarray(1, key.length - VERSION_BYTES);
}

/** The commit that overwrote or deleted the row. */
export function endVersionOf(key: Buffer): bigint {
  return key.readBigUInt64BE(key.length - VERSION_BYTES);
}

/** The history of one row after `version`. */
export function historyAfter(rowKey: Buffer, version: bigint): KeyRange {
  return { from: historyKey(rowKey, version + 1n), to: historyKey(rowKey, 2n ** 64n - 1n) };
}

/** Holds the history of every row in `range`, and perhaps of a few beside it. */
export function historyOf({ from, to }: KeyRange): KeyRange {
  const family = Buffer.from([FAMILY.history]);
  return { from: Buffer.concat([family, from]), to: Buffer.concat([family, endOf(to)]) };
}

/**
 * A row's key ends in 00, and so does the first byte of a version: where an end is a row's key with more 00 behind it, the history
 * of that row would lie beyond it.
 */
function endOf(to: Buffer): Buffer {
  let length = to.length;
  while (length > 0 && to[length - 1] === 0) length--;
  if (to.length - length < 2) return to;
  return Buffer.concat([to.subarray(0, length), Buffer.from([0x00, 0x01])]);
}
