// The index layer: which rows an entity has besides its own, and the composite indexes of each app.
// Must not know queries or transactions of users, nor decide what to read.
// Read next: index-rows.ts (what a write writes), index-catalog.ts (which indexes there are), index-builder.ts (backfill).
//
// States of a composite index: building → serving; building → error (an entity exceeds a limit); error → building (ensured
// again). Commits maintain an index in every state, so that it never misses a write; queries use serving ones only.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, type IndexState } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { isReserved } from '../codec/key-check.ts';

export interface CompositeIndex {
  /** Unique within the app, never used again. */
  readonly id: number;
  readonly definition: IndexDefinition;
  readonly state: IndexState;
  /**
   * Of a serving index: the commit version at which it was complete. Commits of greater versions have maintained it, so a
   * read of the state at this version or later may use it; one of an earlier state must not. 0 for one that always was.
   */
  readonly since: bigint;
  /** Entities that the backfill has indexed. */
  readonly done: number;
  /** Entities that there were to index when the backfill began; 0 when unknown. */
  readonly estimate: number;
  /** Why it could not be built. */
  readonly reason?: string;
  /** Building: the key of the last kind row that the backfill has done; absent before the first. */
  readonly progress?: Buffer;
}

export function isSameDefinition(left: IndexDefinition, right: IndexDefinition): boolean {
  return (
    left.kind === right.kind &&
    left.ancestor === right.ancestor &&
    left.properties.length === right.properties.length &&
    left.properties.every(({ name, direction }, at) => name === right.properties[at]?.name && direction === right.properties[at].direction)
  );
}

/** Throws DS_INVALID or DS_LIMIT for a definition that cannot be an index. */
export function checkDefinition({ kind, properties }: IndexDefinition): void {
  if (kind === '' || isReserved(kind)) throw new PlatformError('DS_INVALID', `an index cannot be on the kind ${JSON.stringify(kind)}`);
  if (Buffer.byteLength(kind) > LIMITS.keyNameBytesMax)
    throw new PlatformError('DS_LIMIT', `a kind has at most ${LIMITS.keyNameBytesMax} bytes`);
  if (properties.length === 0) throw new PlatformError('DS_INVALID', `the index on ${kind} names no property`);
  if (properties.length > LIMITS.compositePropertiesMax) {
    throw new PlatformError('DS_LIMIT', `an index has at most ${LIMITS.compositePropertiesMax} properties`);
  }
  for (const { name } of properties) {
    if (name === '' || (name !== '__key__' && isReserved(name)))
      throw new PlatformError('DS_INVALID', `an index cannot hold the property ${JSON.stringify(name)}`);
    if (Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
      throw new PlatformError('DS_LIMIT', `a property name has at most ${LIMITS.keyNameBytesMax} bytes`);
    }
  }
  if (new Set(properties.map(({ name }) => name)).size < properties.length) {
    throw new PlatformError('DS_INVALID', `the index on ${kind} names a property twice`);
  }
}
