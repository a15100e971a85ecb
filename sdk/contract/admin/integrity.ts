// Whether an app's rows fit together, as the console and the command line ask.
//
//   POST /datastore/check            CheckRequest → newline-delimited CheckEvent, the last one `done` or `failed`
//   POST /apps/A/datastore/check     CheckRequest → the same of one app's rows, and of the rows that belong to none
import { type ErrorBody } from '../errors.ts';

export interface CheckRequest {
  /** Whether index rows that are missing or wrong are written again from their entities. Entities are never touched. */
  readonly repair?: boolean;
}

/**
 * What can be wrong with a row:
 * unreadable        its bytes do not follow the grammar, or its checksum is wrong
 * index-missing     an entity lacks rows in its indexes, or they have other values
 * index-orphan      an index row whose entity is not there or does not produce it
 * index-unknown     an index row of a composite index that is not there
 * family-unknown    a row of no known family
 * tablets-broken    METADATA rows that are no map of the key space
 * store-unreadable  a file of the store with a wrong checksum (`row` is its name, `family` is `file`), or rows that it cannot read
 */
export type FindingProblem =
  'unreadable' | 'index-missing' | 'index-orphan' | 'index-unknown' | 'family-unknown' | 'tablets-broken' | 'store-unreadable';

export interface Finding {
  readonly problem: FindingProblem;
  /** Of the row, as datastore/FORMAT.md has it. */
  readonly family: string;
  /** As people read it. */
  readonly row: string;
  /** The row's key, hexadecimal, its beginning where it is long. */
  readonly rowKey: string;
  readonly detail: string;
  /** What was done about it. */
  readonly repaired?: string;
}

export interface CheckTotals {
  /** Files of the store whose checksums were looked at. */
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  /** Rows by family. */
  readonly families: Readonly<Record<string, number>>;
  readonly findings: number;
  readonly repaired: number;
}

export type CheckEvent =
  /** Rows and bytes walked by now; `bytesExpected` is about how many there are. */
  | { readonly kind: 'progress'; readonly rows: number; readonly bytes: number; readonly bytesExpected: number }
  /** At most integrityFindingsMax of them; `done` counts all. */
  | { readonly kind: 'finding'; readonly finding: Finding }
  | ({ readonly kind: 'done' } & CheckTotals)
  | { readonly kind: 'failed'; readonly error: ErrorBody };
