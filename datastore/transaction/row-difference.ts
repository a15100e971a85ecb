// What a commit changes in the rows of one entity, and what that says to those who count rows.
import { type IndexRow } from '../index/index-rows.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { type RowWriter } from './held-rows.ts';

const NO_VALUE = Buffer.alloc(0);

/** Deletes what is no longer there, puts what is new or has another value. Returns how many rows that are. */
export function writeDifference(writer: RowWriter, before: readonly IndexRow[], after: readonly IndexRow[], changes: RowChange[]): number {
  const earlier = changes.length;
  if (before.length === 0) {
    for (const { key, value } of after) {
      writer.put(key, value);
      changes.push(rowChange(key, undefined, value.length));
    }
    return changes.length - earlier;
  }
  const old = new Map(before.map((row) => [row.key.toString('latin1'), row]));
  for (const { key, value } of after) {
    const name = key.toString('latin1');
    const known = old.get(name);
    old.delete(name);
    if (known?.value.equals(value)) continue;
    writer.put(key, value);
    changes.push(rowChange(key, known?.value, value.length));
  }
  for (const { key, value } of old.values()) {
    writer.delete(key);
    changes.push(rowChange(key, value, undefined, NO_VALUE));
  }
  return changes.length - earlier;
}

/** Of a row's value before and its size after; undefined where there was or is no row. */
export function rowChange(key: Buffer, old: Buffer | undefined, newBytes: number | undefined, superseded?: Buffer): RowChange {
  const rows = (newBytes === undefined ? 0 : 1) - (old === undefined ? 0 : 1);
  const bytes = rows * key.length + (newBytes ?? 0) - (old?.length ?? 0);
  return { key, rows, bytes, valueBytes: newBytes, ...(superseded ? { superseded } : {}) };
}
