// A plan as data: which index rows to read, and how their bytes make up the order of the results.
//
// Every row that a scan reads is `prefix suffix`, its suffix being columns and the path. Turned into the order of the
// results (complemented where a scan runs against it), a suffix is a *place*; all scans of a branch have the same places, so
// they can be joined by comparing bytes. A *position* is a place with the columns that a branch holds fixed put in, so that
// positions of all branches compare. Cursors are positions.
import { type Order } from '../../sdk/contract/query.ts';
import { type ColumnRange } from './bounds.ts';
import { type Disjunct } from './disjunct.ts';
import { type Direction, type NormalQuery } from './normal-query.ts';

export interface ScanPlan {
  /**
   * forward and backward read the suffixes of the range in that order. runs reads an ascending property index downwards but
   * each run of equal values upwards: what `ORDER BY p DESC` means, whose ties are in ascending key order.
   */
  readonly kind: 'forward' | 'backward' | 'runs';
  readonly prefix: Buffer;
  /** Of suffixes, in the order of rows. */
  readonly range: ColumnRange;
  /** Set when the suffixes are paths of whole kinds, so that entity rows in key order can be read instead (entity-scan.ts). */
  readonly kindRows?: true;
  /** Whether rows can say that their entity has several (index-rows.ts). */
  readonly hasFlags: boolean;
  /** For people: the index and how it is read. */
  readonly label: string;
  /** What the rows are ordered by before their keys, as the scan reads them; a property index read in runs is a descending one. */
  readonly indexed: readonly Order[];
  /** Values that all rows of the scan have, by property. */
  readonly fixes: readonly (readonly [property: string, value: Buffer])[];
  /** What the range bounds: a column, or the keys. */
  readonly bounds: 'keys' | 'column';
  /** Whether all rows lie below the ancestor. */
  readonly belowAncestor: boolean;
}

/** How one branch of the filter is answered: by the suffixes that all its scans share. */
export interface BranchPlan {
  readonly disjunct: Disjunct;
  readonly scans: readonly ScanPlan[];
  /** Per column of the layout the value that the branch fixes it to, encoded in the column's direction. */
  readonly fixed: readonly (Buffer | undefined)[];
  /** Columns of places: those of the layout that are not fixed. */
  readonly columns: readonly Order[];
  /** Per column of places the values wanted, where the scans' ranges do not see to it. */
  readonly columnChecks: readonly (ColumnRange | undefined)[];
  /** Whether paths must be checked against the key bounds of the disjunct. */
  readonly checksKeys: boolean;
  /**
   * Whether the entity itself must be asked for the ranges of `elsewhere`: each that a row leads to, or only those of which
   * the row says that they have several values. Absent when there are none.
   */
  readonly proof?: 'each' | 'several';
}

export interface QueryPlan {
  readonly query: NormalQuery;
  /** The columns of positions. */
  readonly layout: readonly Order[];
  readonly keyDirection: Direction;
  /** None when no entity can fit the filter. */
  readonly branches: readonly BranchPlan[];
}
