// A mutation from the wire, checked and decoded: everything that can be said against it without reading the store.
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, decodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { isComplete, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { withKey } from '../codec/entity-message.ts';
import { checkKey } from '../codec/key-check.ts';
import { checkProperties } from '../index/entity-check.ts';
import { type IndexedValues, indexedValues } from '../index/indexed-values.ts';

export interface CheckedMutation {
  readonly op: 'insert' | 'update' | 'upsert' | 'delete';
  /** With the app as its project; incomplete where an id is to be allocated. */
  readonly key: Key;
  readonly isKeyComplete: boolean;
  readonly baseVersion?: bigint;
  /** Absent for a delete. */
  readonly content?: { readonly message: Uint8Array; readonly values: IndexedValues };
}

/** `key` as the app's own. Throws DS_FORBIDDEN when it names another. */
export function ownKey(key: Key, appId: string): Key {
  if (key.projectId === appId) return key;
  if (key.projectId === '') return { ...key, projectId: appId };
  throw new PlatformError('DS_FORBIDDEN', `a key of "${key.projectId}", used by "${appId}"`);
}

/** Throws DS_INVALID, DS_LIMIT or DS_FORBIDDEN. */
export function checkMutation(mutation: WireMutation, appId: string): CheckedMutation {
  const base = mutation.baseVersion === undefined ? {} : { baseVersion: mutation.baseVersion };
  if (mutation.op === 'delete') {
    const key = ownKey(decodeKey(mutation.key), appId);
    checkKey(key, 'complete');
    return { op: 'delete', key, isKeyComplete: true, ...base };
  }
  if (mutation.entity.length > LIMITS.entityBytesMax) throw entityTooBig(mutation.entity.length);
  const entity = decodeEntity(mutation.entity);
  const key = ownKey(entity.key, appId);
  checkKey(key, mutation.op === 'update' ? 'complete' : 'either');
  checkProperties(entity.properties);
  const values = indexedValues(entity.properties, appId);
  const isKeyComplete = isComplete(key);
  if (!isKeyComplete && mutation.baseVersion !== undefined) {
    throw new PlatformError('DS_INVALID', 'conflict detection is not allowed for incomplete keys');
  }
  return { op: mutation.op, key, isKeyComplete, content: { message: mutation.entity, values }, ...base };
}

/** `key` with `id` in its last element. */
export function completeKey(key: Key, id: bigint): Key {
  return { ...key, path: key.path.map((element, at) => (at === key.path.length - 1 ? { kind: element.kind, id } : element)) };
}

/** The bytes to be stored under `key`, in pieces: what the app wrote, with its key completed. Throws DS_LIMIT. */
export function messageToStore(message: Uint8Array, key: Key): readonly Buffer[] {
  const pieces = withKey(message, key);
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes > LIMITS.entityBytesMax) throw entityTooBig(bytes);
  return pieces;
}

function entityTooBig(bytes: number): PlatformError {
  return new PlatformError('DS_LIMIT', `entity is too big: ${bytes} bytes, at most ${LIMITS.entityBytesMax}`);
}
