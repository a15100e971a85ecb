// The kinds that the datastore answers itself: which namespaces, kinds and indexed properties there are. Their entities are
// not stored; they are read off the index rows (metadata-scan.ts), so they are never out of date.
//
//   __namespace__   id 1 is the default namespace, any other has its name
//   __kind__        its name is a kind of the query's namespace
//   __property__    child of its kind; its name is an indexed property; property_representation lists the types of its values
import { PlatformError } from '../../sdk/contract/errors.ts';
import { namespacesPrefix, type Partition } from '../codec/row-key.ts';
import { type Disjunct, KEY } from './disjunct.ts';

const KINDS = ['__namespace__', '__kind__', '__property__'] as const;

export type MetadataKind = (typeof KINDS)[number];

export function metadataKind(entityKind: string | undefined): MetadataKind | undefined {
  return KINDS.find((kind) => kind === entityKind);
}

export interface MetadataShape {
  readonly disjuncts: readonly Disjunct[];
  readonly columns: number;
  readonly keyDirection: 'asc' | 'desc';
}

/** Throws DS_INVALID: such a query has a range of keys or an ancestor, and the order of keys, and nothing else. */
export function checkMetadataQuery(kind: MetadataKind, { disjuncts, columns, keyDirection }: MetadataShape): void {
  if (disjuncts.some(({ equalities, ranges, elsewhere }) => equalities.size + ranges.size + elsewhere.size > 0)) {
    throw new PlatformError('DS_INVALID', `a query of ${kind} filters by ${KEY} only`);
  }
  if (columns > 0 || keyDirection === 'desc') {
    throw new PlatformError('DS_INVALID', `a query of ${kind} returns whole entities or keys, in the order of ${KEY} ascending`);
  }
}

/** Where the rows lie that a metadata kind is read from. */
export function metadataPrefix(kind: MetadataKind, partition: Partition): Buffer {
  switch (kind) {
    case '__namespace__':
      return namespacesPrefix(partition.appId, partition.databaseId);
    case '__kind__':
      return partition.kinds;
    case '__property__':
      return partition.properties;
  }
}
