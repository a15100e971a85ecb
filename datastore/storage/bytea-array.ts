// A list of byte strings as one parameter of a statement, in PostgreSQL's binary form of bytea[]: no hexadecimal in between.
//
//   array   := dimensions:u32 (1; 0 when empty) hasNull:u32 elementType:u32 [ length:u32 lowerBound:u32 (1) ] element…
//   element := byteCount:i32 (-1 for null) bytes
const BYTEA_TYPE = 17;
const HEADER_BYTES = 20;
const EMPTY_HEADER_BYTES = 12;

export function byteaArray(items: readonly (Buffer | null)[]): Buffer {
  const bytes = items.reduce((sum, item) => sum + 4 + (item?.length ?? 0), HEADER_BYTES);
  const array = Buffer.allocUnsafe(bytes);
  array.writeUInt32BE(items.length > 0 ? 1 : 0, 0);
  array.writeUInt32BE(items.includes(null) ? 1 : 0, 4);
  array.writeUInt32BE(BYTEA_TYPE, 8);
  if (items.length === 0) return array.subarray(0, EMPTY_HEADER_BYTES);
  array.writeUInt32BE(items.length, 12);
  array.writeUInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const item of items) {
    at = array.writeInt32BE(item?.length ?? -1, at);
    if (item) at += item.copy(array, at);
  }
  return array;
}
