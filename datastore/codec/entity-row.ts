// The value of an entity row.
//
//   entity row := 01 crc:u32 version:u64 created:u64 updated:u64 message
//
// The times are microseconds; the version is the commit time, forced to increase. The checksum (CRC-32, as in zip files)
// covers everything behind it, because LevelDB itself does not check what it reads.
import { crc32 } from 'node:zlib';
import { PlatformError } from '../../sdk/contract/errors.ts';

const FORMAT_VERSION = 0x01;
const CRC_AT = 1;
const VERSION_AT = 5;
const HEADER_BYTES = 29;

export interface EntityRow {
  readonly version: bigint;
  readonly createdMicros: bigint;
  readonly updatedMicros: bigint;
  /** A view of the stored Entity message. */
  readonly message: Buffer;
}

export interface EntityRowParts {
  readonly version: bigint;
  readonly createdMicros: bigint;
  readonly updatedMicros: bigint;
  /** The message in pieces, so that it is copied once. */
  readonly message: readonly Uint8Array[];
}

export function encodeEntityRow(row: EntityRowParts): Buffer {
  let length = HEADER_BYTES;
  for (const piece of row.message) length += piece.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = FORMAT_VERSION;
  bytes.writeBigUInt64BE(row.version, VERSION_AT);
  bytes.writeBigUInt64BE(row.createdMicros, VERSION_AT + 8);
  bytes.writeBigUInt64BE(row.updatedMicros, VERSION_AT + 16);
  let offset = HEADER_BYTES;
  for (const piece of row.message) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  bytes.writeUInt32BE(checksum(bytes), CRC_AT);
  return bytes;
}

/** Throws DS_CORRUPT when the bytes are not what was written. */
export function decodeEntityRow(bytes: Buffer): EntityRow {
  if (bytes.length < HEADER_BYTES) throw new PlatformError('DS_CORRUPT', 'an entity row ends early');
  if (bytes[0] !== FORMAT_VERSION) throw new PlatformError('DS_CORRUPT', `entity row of format ${bytes[0] ?? 'none'}`);
  if (bytes.readUInt32BE(CRC_AT) !== checksum(bytes)) throw new PlatformError('DS_CORRUPT', 'an entity row has a wrong checksum');
  return {
    version: bytes.readBigUInt64BE(VERSION_AT),
    createdMicros: bytes.readBigUInt64BE(VERSION_AT + 8),
    updatedMicros: bytes.readBigUInt64BE(VERSION_AT + 16),
    message: bytes.subarray(HEADER_BYTES),
  };
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(VERSION_AT));
}
