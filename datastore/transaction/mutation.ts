// What a commit is asked, and what it is told.
// Read next: checked-mutation.ts for what can be said against it, target.ts for what it does to an entity.
import { type MutationResult, type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { type PropertyPath } from '../codec/property-path.ts';

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
