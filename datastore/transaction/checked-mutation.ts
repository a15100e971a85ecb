// A mutation, checked and decoded: everything that can be said against it without reading the store.
import { decodeEntity, decodeKey, decodeSentEntity, encodeEntity, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { isComplete, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { withKey } from '../codec/entity-message.ts';
import { checkKey } from '../codec/key-check.ts';
import { type DatastoreScope, ownKey, ownProperties } from '../codec/own-key.ts';
import { type PropertyPath } from '../codec/property-path.ts';
import { checkProperties } from '../index/entity-check.ts';
import { type IndexedValues, indexedValues } from '../index/indexed-values.ts';
import { type Mutation, type PropertyTransform } from './mutation.ts';
import { checkPath, ownTransform } from './transform-check.ts';

/** What an entity is stored as, but for its key. */
export interface Content {
  readonly message: Uint8Array;
  readonly values: IndexedValues;
}

/** What is made of an entity, knowing what it was. */
export interface Edit {
  /** What was sent. */
  readonly message: Uint8Array;
  /** Absent: all that was sent, and nothing else. */
  readonly mask?: readonly PropertyPath[];
  readonly transforms: readonly PropertyTransform[];
}

export interface CheckedMutation {
  readonly op: 'insert' | 'update' | 'upsert' | 'delete';
  /** With the app as its project; incomplete where an id is to be allocated. */
  readonly key: Key;
  readonly isKeyComplete: boolean;
  readonly baseVersion: bigint | undefined;
  /** Microseconds. */
  readonly updateTime: bigint | undefined;
  readonly onConflict: 'skip' | 'fail';
  /** Of what was sent. */
  readonly bytes: number;
  /** None for a delete. */
  readonly writing: Writing | undefined;
}

export type Writing = { readonly kind: 'content'; readonly content: Content } | { readonly kind: 'edit'; readonly edit: Edit };

/** Throws DS_INVALID, DS_LIMIT or DS_FORBIDDEN. */
export function checkMutation(mutation: Mutation, scope: DatastoreScope): CheckedMutation {
  const { op, baseVersion, updateTime, onConflict = 'fail' } = mutation;
  if (baseVersion !== undefined) checkBaseVersion(op, baseVersion);
  if (mutation.op === 'delete') {
    if (mutation.transforms?.length) throw invalid('property_transforms are not for a delete');
    const key = ownKey(decodeKey(mutation.key), scope);
    checkKey(key, 'complete');
    const bytes = mutation.key.length;
    return { op, key, isKeyComplete: true, baseVersion, updateTime, onConflict, bytes, writing: undefined };
  }
  if (mutation.entity.length > LIMITS.entityBytesMax) throw entityTooBig(mutation.entity.length);
  const { entity, isExact } = decodeSentEntity(mutation.entity);
  const key = ownKey(entity.key, scope);
  checkKey(key, op === 'update' ? 'complete' : 'either');
  const isKeyComplete = isComplete(key);
  if (!isKeyComplete && (baseVersion !== undefined || updateTime !== undefined)) {
    throw invalid('conflict detection is not allowed for incomplete keys');
  }
  if (mutation.mask || mutation.transforms?.length) {
    const { bytes, edit } = checkEdit(mutation, { entity, isExact }, scope);
    return { op, key, isKeyComplete, baseVersion, updateTime, onConflict, bytes, writing: { kind: 'edit', edit } };
  }
  checkProperties(entity.properties);
  const properties = ownProperties(entity.properties, scope);
  const message = isExact && properties === entity.properties ? mutation.entity : encodeEntity({ key: entity.key, properties });
  const content = { message, values: indexedValues(properties, scope.appId) };
  const bytes = mutation.entity.length;
  return { op, key, isKeyComplete, baseVersion, updateTime, onConflict, bytes, writing: { kind: 'content', content } };
}

/** The content of what an edit made. Throws DS_INVALID or DS_LIMIT with the rule that it breaks. */
export function contentOf(message: Buffer, appId: string): Content {
  if (message.length > LIMITS.entityBytesMax) throw entityTooBig(message.length);
  const { properties } = decodeEntity(message);
  checkProperties(properties);
  return { message, values: indexedValues(properties, appId) };
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

/** Whether it will fit into its indexes shows when it is made; names, meanings and single values already now. */
function checkEdit(
  { entity: sent, mask, transforms = [] }: Extract<Mutation, { readonly entity: Uint8Array }>,
  { entity, isExact }: { readonly entity: Entity; readonly isExact: boolean },
  scope: DatastoreScope,
): { readonly bytes: number; readonly edit: Edit } {
  checkProperties(entity.properties, false);
  const properties = ownProperties(entity.properties, scope);
  const message = isExact && properties === entity.properties ? sent : encodeEntity({ key: entity.key, properties });
  let bytes = sent.length;
  for (const path of mask ?? []) {
    checkPath(path, 'mask');
    bytes += bytesOf(path);
  }
  const own = transforms.map((transform) => {
    checkPath(transform.path, 'transform');
    bytes += bytesOf(transform.path);
    if ('operand' in transform) bytes += encodeValue(transform.operand).length;
    if ('elements' in transform) bytes += encodeValue({ kind: 'array', values: transform.elements }).length;
    return ownTransform(transform, scope);
  });
  return { bytes, edit: { message, ...(mask ? { mask } : {}), transforms: own } };
}

function bytesOf(path: PropertyPath): number {
  return path.reduce((sum, name) => sum + name.length + 1, 0);
}

function checkBaseVersion(op: CheckedMutation['op'], baseVersion: bigint): void {
  if (baseVersion < 0n) throw invalid('a base version is not negative');
  if (op === 'insert' && baseVersion > 0n) throw invalid('Cannot insert an entity with a base version greater than zero');
  if (op === 'update' && baseVersion === 0n) throw invalid('Cannot update an entity with a base version set to zero');
}

function entityTooBig(bytes: number): PlatformError {
  return new PlatformError('DS_LIMIT', `entity is too big: ${bytes} bytes, at most ${LIMITS.entityBytesMax}`);
}

function invalid(reason: string): PlatformError {
  return new PlatformError('DS_INVALID', reason);
}
