// The rows in which tablets and their load are kept.
//
//   METADATA row := M start               →  checked row of id:u32 rows:u64 bytes:u64
//   load row     := T id:u32 hour:u32     →  checked row of (minute reads:u32 writes:u32)+
//
// `hour` counts from 1970; a load row names the minutes, 0 … 59 and ascending, in which something was read or written.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { FAMILY } from '../codec/row-key.ts';
import { type HourCounts, newHour } from './load-history.ts';

const METADATA_BYTES = 20;
const LOAD_KEY_BYTES = 9;
const MINUTE_BYTES = 9;
const HOUR_MINUTES = 60;
const METADATA = Buffer.from([FAMILY.metadata]);

export interface TabletRow {
  readonly id: number;
  readonly rows: number;
  readonly bytes: number;
}

export function metadataKey(start: Buffer): Buffer {
  return Buffer.concat([METADATA, start]);
}

export function encodeTablet({ id, rows, bytes }: TabletRow): Buffer {
  const body = Buffer.alloc(METADATA_BYTES);
  body.writeUInt32BE(id, 0);
  body.writeBigUInt64BE(BigInt(Math.max(0, rows)), 4);
  body.writeBigUInt64BE(BigInt(Math.max(0, bytes)), 12);
  return encodeCheckedRow(body);
}

/** Throws DS_CORRUPT. */
export function decodeTablet(value: Buffer): TabletRow {
  const body = decodeCheckedRow(value, 'a METADATA row', { earlierBytes: METADATA_BYTES, bodyBytes: METADATA_BYTES });
  return { id: body.readUInt32BE(0), rows: Number(body.readBigUInt64BE(4)), bytes: Number(body.readBigUInt64BE(12)) };
}

export function loadKey(id: number, hour: number): Buffer {
  const key = Buffer.alloc(LOAD_KEY_BYTES);
  key[0] = FAMILY.load;
  key.writeUInt32BE(id, 1);
  key.writeUInt32BE(hour, 5);
  return key;
}

/** Throws DS_CORRUPT. */
export function readLoadKey(key: Buffer): { readonly id: number; readonly hour: number } {
  if (key.length !== LOAD_KEY_BYTES) throw new PlatformError('DS_CORRUPT', 'a load row with a key of another length');
  return { id: key.readUInt32BE(1), hour: key.readUInt32BE(5) };
}

export function encodeLoad(counts: HourCounts): Buffer {
  const body = Buffer.alloc(HOUR_MINUTES * MINUTE_BYTES);
  let length = 0;
  for (let minute = 0; minute < HOUR_MINUTES; minute++) {
    const [reads = 0, writes = 0] = counts.subarray(2 * minute, 2 * minute + 2);
    if (reads === 0 && writes === 0) continue;
    length = body.writeUInt8(minute, length);
    length = body.writeUInt32BE(reads, length);
    length = body.writeUInt32BE(writes, length);
  }
  return encodeCheckedRow(body.subarray(0, length));
}

/** Throws DS_CORRUPT. */
export function decodeLoad(value: Buffer): HourCounts {
  const body = decodeCheckedRow(value, 'a load row');
  const counts = newHour();
  let before = -1;
  for (let at = 0; at < body.length; at += MINUTE_BYTES) {
    const minute = body[at] ?? 0;
    if (at + MINUTE_BYTES > body.length || minute >= HOUR_MINUTES || minute <= before)
      throw new PlatformError('DS_CORRUPT', 'a load row of an unknown format');
    counts[2 * minute] = body.readUInt32BE(at + 1);
    counts[2 * minute + 1] = body.readUInt32BE(at + 5);
    before = minute;
  }
  return counts;
}
