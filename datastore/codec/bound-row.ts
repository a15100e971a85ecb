// A number that nothing given out has reached: of versions, of ids.
//
//   bound row := checked row of bound:u64
import { decodeCheckedRow, encodeCheckedRow } from './checked-row.ts';

const BODY_BYTES = 8;

export function encodeBound(bound: bigint): Buffer {
  const body = Buffer.alloc(BODY_BYTES);
  body.writeBigUInt64BE(bound);
  return encodeCheckedRow(body);
}

/** Throws DS_CORRUPT. */
export function decodeBound(row: Buffer, what: string): bigint {
  return decodeCheckedRow(row, what, { earlierBytes: BODY_BYTES, bodyBytes: BODY_BYTES }).readBigUInt64BE();
}
