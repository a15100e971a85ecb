// Pages of an export, all of one moment: which moment, and what is read from.
import { decodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { checkKey } from '../codec/key-check.ts';
import { ownKey } from '../codec/own-key.ts';
import { type StoreSnapshot } from '../storage/port.ts';
import { type EntityFilter, type EntityPage, entityPage, entityRowKeyOf } from './entity-pager.ts';

export interface ExportPosition {
  /** `next` of the page before. */
  readonly from?: Uint8Array;
  /** A Key message: begins behind that entity. Of no effect beside `from`. */
  readonly after?: Uint8Array;
  /** Microseconds; absent on the first page, which chooses it. */
  readonly readTime?: bigint;
}

export interface ExportPage extends EntityPage {
  /** The state that the page is of. */
  readonly readTime: bigint;
}

const MICROS_PER_MS = 1_000n;

export class Exporter {
  readonly #clock: Clock;
  readonly #newest: () => bigint;
  readonly #openAt: (appId: string, readTime: bigint) => Promise<StoreSnapshot>;

  /** `newest` is the time of the newest commit, `openAt` the app's data as it was then. */
  constructor(clock: Clock, newest: () => bigint, openAt: (appId: string, readTime: bigint) => Promise<StoreSnapshot>) {
    this.#clock = clock;
    this.#newest = newest;
    this.#openAt = openAt;
  }

  /** Throws DS_TOO_OLD when the state of then is kept no more, DS_CORRUPT, DS_INVALID, DS_FORBIDDEN. */
  async page(filter: EntityFilter, { from, after, readTime = this.#now() }: ExportPosition): Promise<ExportPage> {
    const start = from ?? (after && this.#rowOf(after, filter.appId));
    const snapshot = await this.#openAt(filter.appId, readTime);
    try {
      return { readTime, ...(await entityPage(snapshot, this.#clock, filter, start)) };
    } finally {
      await snapshot.close();
    }
  }

  /** What follows must not come before what is there, however the clock was set. */
  #now(): bigint {
    const nowMicros = BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
    const newest = this.#newest();
    return nowMicros > newest ? nowMicros : newest;
  }

  #rowOf(message: Uint8Array, appId: string): Buffer {
    const key = ownKey(decodeKey(message), { appId });
    checkKey(key, 'complete');
    return entityRowKeyOf(key);
  }
}
