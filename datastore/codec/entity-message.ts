// The key of an Entity message replaced without touching the rest, so that what an app wrote is stored byte for byte.
import { encodeKeyField } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';

const KEY_FIELD = 1;

/**
 * `message` with `key` as its key, first, in pieces that are views of it. `message` must have been decoded before, so that it
 * is well-formed.
 */
export function withKey(message: Uint8Array, key: Key): readonly Buffer[] {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return [encodeKeyField(key), ...withoutKey(bytes)];
}

/** The stretches of the message between its key fields. */
function withoutKey(bytes: Buffer): readonly Buffer[] {
  const kept: Buffer[] = [];
  let keptFrom = 0;
  for (let offset = 0; offset < bytes.length;) {
    const field = fieldAt(bytes, offset);
    if (field.number === KEY_FIELD) {
      if (keptFrom < offset) kept.push(bytes.subarray(keptFrom, offset));
      keptFrom = field.end;
    }
    offset = field.end;
  }
  if (keptFrom < bytes.length) kept.push(bytes.subarray(keptFrom));
  return kept;
}

/** Decodes the tag rather than comparing a byte: an over-long tag names the key field just as well. */
function fieldAt(bytes: Buffer, start: number): { readonly number: number; readonly end: number } {
  let offset = start;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[offset++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const tag = varint();
  const number = tag >>> 3;
  switch (tag & 7) {
    case 0:
      varint();
      return { number, end: offset };
    case 1:
      return { number, end: offset + 8 };
    case 2: {
      const length = varint();
      return { number, end: offset + length };
    }
    default:
      return { number, end: offset + 4 };
  }
}
