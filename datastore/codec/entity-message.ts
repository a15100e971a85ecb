// The key of an Entity message replaced without touching the rest, so that what an app wrote is stored byte for byte.
import { encodeKeyField } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { bufferOf, fieldAt } from './message-field.ts';

const KEY_FIELD = 1;

/**
 * `message` with `key` as its key, first, in pieces that are views of it. `message` must have been decoded before, so that it
 * is well-formed.
 */
export function withKey(message: Uint8Array, key: Key): readonly Buffer[] {
  return [encodeKeyField(key), ...withoutKey(bufferOf(message))];
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
