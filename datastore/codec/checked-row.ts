// The value of a small row that others build on: bounds, settings, statistics.
//
//   checked row := 02 crc:u32 body      the crc (CRC-32) covers the body
import { crc32 } from 'node:zlib';
import { PlatformError } from '../../sdk/contract/errors.ts';

const FORMAT_VERSION = 0x02;
const BODY_AT = 5;

export function encodeCheckedRow(body: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(BODY_AT + body.length);
  row[0] = FORMAT_VERSION;
  row.writeUInt32BE(crc32(body), 1);
  row.set(body, BODY_AT);
  return row;
}

/** The body. `what` names the row in the error, such as `an index row`. Throws DS_CORRUPT. */
export function decodeCheckedRow(row: Buffer, what: string): Buffer {
  if (row.length < BODY_AT || row[0] !== FORMAT_VERSION) throw new PlatformError('DS_CORRUPT', `${what} of an unknown format`);
  const body = row.subarray(BODY_AT);
  if (row.readUInt32BE(1) !== crc32(body)) throw new PlatformError('DS_CORRUPT', `${what} with a wrong checksum`);
  return body;
}
