// A mutation from the wire, checked and decoded: everything that can be said against it without reading the store.
import { type MutationResult, type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, decodeKey, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { isComplete, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { withKey } from '../codec/entity-message.ts';
import { checkKey } from '../codec/key-check.ts';
import { type DatastoreScope, ownKey, ownProperties } from '../codec/own-key.ts';
import { type PropertyPath } from '../codec/property-path.ts';
import { checkProperties } from '../index/entity-check.ts';
import { type IndexedValues, indexedValues } from '../index/indexed-values.ts';

/** A change of one property, applied by the server to what it finds. */
export type PropertyTransform = { readonly path: PropertyPath } & (
  | { readonly kind: 'request-time' }
  /** The operand is an integer or a double. */
  | { readonly kind: 'increment' | 'maximum' | 'minimum'; readonly operand: Value }
  | { readonly kind: 'append-missing' | 'remove-all'; readonly elements: readonly Value[] }
);

/** What a commit may be asked to do with one entity, beyond what the SDK's own wire asks. */
export type Mutation = WireMutation & {
  /** Microseconds. As a base version, but of the time of the last update. */
  readonly updateTime?: bigint;
  /** When the base version or update time is not the stored one: nothing is done to the entity, or the commit fails (default). */
  readonly onConflict?: 'skip' | 'fail';
  /** The only properties to be written; those that the entity lacks are deleted. Without meaning for a delete. */
  readonly mask?: readonly PropertyPath[];
  /** Applied in order, after the operation, whatever the mask. Not for a delete. */
  readonly transforms?: readonly PropertyTransform[];
};

export interface CommitResult extends MutationResult {
  /** Both in microseconds, absent when there is no such entity afterwards. */
  readonly createdMicros?: bigint;
  readonly updatedMicros?: bigint;
  /** Whether the mutation was skipped because of a conflict. */
  readonly isConflict?: boolean;
  /** One for each transform. */
  readonly transformResults?: readonly Value[];
}

export interface CommitOutcome {
  /** In the order of the mutations. */
  readonly results: readonly CommitResult[];
  /** Index entries put and deleted. */
  readonly indexUpdates: number;
  readonly commitTimeMicros: bigint;
}

export interface CheckedMutation {
  readonly op: 'insert' | 'update' | 'upsert' | 'delete';
  /** With the app as its project; incomplete where an id is to be allocated. */
  readonly key: Key;
  readonly isKeyComplete: boolean;
  readonly baseVersion?: bigint;
  /** Absent for a delete. */
  readonly content?: { readonly message: Uint8Array; readonly values: IndexedValues };
}

/** Throws DS_INVALID, DS_LIMIT or DS_FORBIDDEN. */
export function checkMutation(mutation: WireMutation, scope: DatastoreScope): CheckedMutation {
  const base = mutation.baseVersion === undefined ? {} : { baseVersion: mutation.baseVersion };
  if (mutation.op === 'delete') {
    const key = ownKey(decodeKey(mutation.key), scope);
    checkKey(key, 'complete');
    return { op: 'delete', key, isKeyComplete: true, ...base };
  }
  if (mutation.entity.length > LIMITS.entityBytesMax) throw entityTooBig(mutation.entity.length);
  const entity = decodeEntity(mutation.entity);
  const key = ownKey(entity.key, scope);
  checkKey(key, mutation.op === 'update' ? 'complete' : 'either');
  checkProperties(entity.properties);
  const properties = ownProperties(entity.properties, scope);
  const message = properties === entity.properties ? mutation.entity : encodeEntity({ key, properties });
  const values = indexedValues(properties, scope.appId);
  const isKeyComplete = isComplete(key);
  if (!isKeyComplete && mutation.baseVersion !== undefined) {
    throw new PlatformError('DS_INVALID', 'conflict detection is not allowed for incomplete keys');
  }
  return { op: mutation.op, key, isKeyComplete, content: { message, values }, ...base };
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
