// The value of a small row that others build on: bounds, settings, statistics.
//
//   checked row := 02 crc:u32 body      the crc (CRC-32) covers the body
//   earlier     := 01 body              of those rows alone that were once written so
import { crc32 } from 'node:zlib';
import { PlatformError } from '../../sdk/contract/errors.ts';

const FORMAT_VERSION = 0x02;
const EARLIER_VERSION = 0x01;
const BODY_AT = 5;

export function encodeCheckedRow(body: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(BODY_AT + body.length);
  row[0] = FORMAT_VERSION;
  row.writeUInt32BE(crc32(body), 1);
  row.set(body, BODY_AT);
  return row;
}

export interface CheckedRowOptions {
  /** Length of the body that rows of version 01 had, which had no checksum; absent where there never were any. */
  readonly earlierBytes?: number;
  /** Length that the body must have; absent where it varies. */
  readonly bodyBytes?: number;
}

/** The body. `what` names the row in the error, such as `an index row`. Throws DS_CORRUPT. */
export function decodeCheckedRow(row: Buffer, what: string, { earlierBytes, bodyBytes }: CheckedRowOptions = {}): Buffer {
  if (row[0] === EARLIER_VERSION && row.length - 1 === earlierBytes) return row.subarray(1);
  if (row.length < BODY_AT || row[0] !== FORMAT_VERSION || (bodyBytes !== undefined && row.length - BODY_AT !== bodyBytes))
    throw new PlatformError('DS_CORRUPT', `${what} of an unknown format`);
  const body = row.subarray(BODY_AT);
  if (row.readUInt32BE(1) !== crc32(body)) throw new PlatformError('DS_CORRUPT', `${what} with a wrong checksum`);
  return body;
}
