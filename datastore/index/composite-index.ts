// The index layer: which rows an entity has besides its own, and the composite indexes of each app.
// Must not know queries or transactions of users, nor decide what to read.
// Read next: index-rows.ts (what a write writes), index-catalog.ts (which indexes there are), index-builder.ts (background).
//
// States of a composite index:
//
//   building → serving    its backfill has reached the last entity
//   building → error      an entity exceeds a limit in it
//   any      → deleting   nobody wants it any more; it is gone when its rows are
//
// Ensuring a failed one deletes it and makes another of a new id. Commits maintain serving indexes, and building ones for the
// entities that the backfill has done: so at every moment exactly the maintained entities have rows. Queries use serving ones.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, type IndexState } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { assert } from '../../sdk/support/assert.ts';
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
  /**
   * How far the work on its rows has come; absent before the first step. Building: entities with kind rows up to this key are
   * indexed. Deleting: index rows up to this key are gone.
   */
  readonly progress?: Buffer;
}

/** Whether an entity with this kind row has rows in `index`, of its kind: what a commit has to keep right. */
export function isMaintained({ state, progress }: CompositeIndex, kindRow: Buffer): boolean {
  if (state === 'building') return progress !== undefined && Buffer.compare(kindRow, progress) <= 0;
  return state === 'serving';
}

/** Whether an entity of its kind must fit into the index. */
export function isKept({ state }: CompositeIndex): boolean {
  return state === 'building' || state === 'serving';
}

const MOVES: Readonly<Record<IndexState, readonly IndexState[]>> = {
  building: ['building', 'serving', 'error', 'deleting'],
  serving: ['deleting'],
  error: ['deleting'],
  deleting: ['deleting'],
};

export function assertMove(from: CompositeIndex, to: CompositeIndex): void {
  assert(from.id === to.id && MOVES[from.state].includes(to.state), 'an index changes its state as it may');
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

/** As people read it: `Greeting(ancestor, date desc)`. */
export function describeIndex({ kind, ancestor, properties }: IndexDefinition): string {
  const columns = properties.map(({ name, direction }) => (direction === 'asc' ? name : `${name} desc`));
  return `${kind}(${[...(ancestor ? ['ancestor'] : []), ...columns].join(', ')})`;
}
