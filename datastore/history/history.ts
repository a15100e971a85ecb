// What is kept of the past, and since when it is complete.
//
//   history bound row := S 04 [app:str] → bound row
//
// Nothing before `bound` can be read, of one app or of all: history began with that version, an end of it was deleted, or one
// commit replaced more than is kept.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { decodeBound, encodeBound } from '../codec/bound-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { historyBoundKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { historyKey } from './history-row.ts';

const MICROS_PER_MS = 1_000n;
const CHUNK_ROWS = 256;
/** The app id of the bound of all apps. */
const ALL_APPS = '';

export interface HistoryOptions {
  /** Apps whose past nobody will ask for; default all are kept. */
  readonly keepsHistory?: (appId: string) => boolean;
}

export class History {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #keepsHistory: (appId: string) => boolean;
  readonly #bounds = new Map<string, bigint>();

  constructor(store: Store, clock: Clock, options: HistoryOptions = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#keepsHistory = options.keepsHistory ?? (() => true);
  }

  /** `lastVersion` is the newest that was given out: where none was kept before, history begins behind it. Throws DS_CORRUPT. */
  async start(lastVersion: bigint): Promise<void> {
    this.#bounds.clear();
    const scan = this.#store.scan(prefixRange(historyBoundKey(ALL_APPS)));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) {
        const reader = new OrderedReader(key, 2);
        this.#bounds.set(reader.atEnd ? ALL_APPS : reader.text(), decodeBound(value, 'a history bound'));
      }
    }
    await scan.close();
    if (this.#bounds.has(ALL_APPS)) return;
    const transaction = this.#store.begin({ reads: 'latest' });
    this.#raise(transaction, ALL_APPS, lastVersion);
    await transaction.commit();
  }

  /** Of versions: everything older may be deleted. */
  get windowStart(): bigint {
    return BigInt(this.#clock.nowMs() - LIMITS.readTimeWindowMs) * MICROS_PER_MS;
  }

  /** Throws DS_INVALID for a time that has not come (`lastVersion` may be ahead of the clock), DS_TOO_OLD for one that is not kept. */
  check(appId: string, readTime: bigint, lastVersion: bigint): void {
    const nowMicros = BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
    if (readTime > nowMicros && readTime > lastVersion) {
      throw new PlatformError('DS_INVALID', `the read time ${timeText(readTime)} is in the future: it is ${timeText(nowMicros)}`);
    }
    if (!this.#keepsHistory(appId)) throw new PlatformError('DS_TOO_OLD', `no history of "${appId}" is kept`);
    const earliest = [this.windowStart, this.#bounds.get(ALL_APPS) ?? 0n, this.#bounds.get(appId) ?? 0n].reduce((one, other) =>
      one > other ? one : other,
    );
    if (readTime < earliest) {
      throw new PlatformError('DS_TOO_OLD', `${timeText(readTime)} was asked for, history begins at ${timeText(earliest)}`);
    }
  }

  /**
   * Puts what the commit `version` has superseded into its transaction, and these rows into `changes`. Where that is too much,
   * the app's history begins anew with this commit.
   */
  record(transaction: StoreTransaction, appId: string, version: bigint, changes: RowChange[]): void {
    const superseded = changes.filter((change) => change.superseded !== undefined);
    if (superseded.length === 0 || !this.#keepsHistory(appId)) return;
    const rows = superseded.map((change) => ({ key: historyKey(change.key, version), value: change.superseded ?? Buffer.alloc(0) }));
    const bytesOf = (row: (typeof rows)[number]): number => row.key.length + row.value.length;
    if (rows.reduce((sum, row) => sum + bytesOf(row), 0) > LIMITS.historyCommitBytesMax) {
      this.#raise(transaction, appId, version);
      return;
    }
    for (const row of rows) {
      transaction.put(row.key, row.value);
      changes.push({ key: row.key, rows: 1, bytes: bytesOf(row), valueBytes: row.value.length });
    }
  }

  /** Nothing of any app before `bound` is read from now on; its rows may be deleted in `transaction`. */
  forget(transaction: StoreTransaction, bound: bigint): void {
    this.#raise(transaction, ALL_APPS, bound);
  }

  /** Nothing of the app before `bound` is read from now on; its rows are deleted in `transaction`. */
  forgetApp(transaction: StoreTransaction, appId: string, bound: bigint): void {
    this.#raise(transaction, appId, bound);
  }

  /** In memory first: should the transaction fail, only less can be read than might be. */
  #raise(transaction: StoreTransaction, appId: string, bound: bigint): void {
    const known = this.#bounds.get(appId);
    if (known !== undefined && known >= bound) return;
    this.#bounds.set(appId, bound);
    transaction.put(historyBoundKey(appId), encodeBound(bound));
  }
}

/** To the microsecond. Beyond the years that a Date knows, the number itself. */
function timeText(micros: bigint): string {
  const date = new Date(Number(micros / MICROS_PER_MS));
  if (Number.isNaN(date.getTime()) || micros < 0n) return `${micros} µs`;
  return date.toISOString().replace('Z', `${String(micros % MICROS_PER_MS).padStart(3, '0')}Z`);
}
