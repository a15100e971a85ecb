// Hits: what index rows become on their way to results, in the order of results.
import { type StoreReader } from '../storage/port.ts';
import { type KindLayout } from './kind-layout.ts';

/** One index row, or several that agree. */
export interface Hit {
  readonly place: Buffer;
  /** Whether the entity may have other rows in the same index (index-rows.ts). */
  readonly isOneOfMany: boolean;
}

export interface HitBatch {
  readonly hits: readonly Hit[];
  /** Every hit below this place has been returned by now; a place itself, or one with a 00 behind it. */
  readonly reached: Buffer;
  readonly done: boolean;
}

/** Hits in ascending order of their places. One `next` at a time. */
export interface HitSource {
  /** Some of the next hits, around `want`; perhaps none although it is not done, when the meter says to pause. */
  next(want: number): Promise<HitBatch>;
  close(): Promise<void>;
}

/** Counts what a query reads, and bounds it for one batch of results. */
export class Meter {
  readonly #indexRowsMax: number;
  indexRows = 0;
  entities = 0;

  constructor(indexRowsMax: number) {
    this.#indexRowsMax = indexRowsMax;
  }

  get isSpent(): boolean {
    return this.indexRows >= this.#indexRowsMax;
  }
}

/** What sources read with. */
export interface Reading {
  readonly reader: StoreReader;
  readonly meter: Meter;
  readonly layout: KindLayout;
  /** Told of rows read at a key, for the statistics of its tablet. */
  readonly onRead: (key: Buffer, rows: number) => void;
}

export const NOWHERE = Buffer.alloc(0);
