// Counter values that the allocator must pass over, since their ids were reserved before it came to them.
//
//   reserved id row := S 07 app db counter:u64 → checked row of nothing      gone once the id bound is above it
import { encodeCheckedRow } from '../codec/checked-row.ts';
import { reservedCounterOf, reservedIdKey } from '../codec/row-key.ts';
import { type Row, type Store, type StoreTransaction } from '../storage/port.ts';

const NOTHING = encodeCheckedRow(Buffer.alloc(0));
const CHUNK_ROWS = 1_000;
/** Above every counter value. */
const COUNTERS_END = 2 ** 52;

/** Of one app and database. One call at a time. */
export class ReservedIds {
  readonly #store: Store;
  readonly #appId: string;
  readonly #databaseId: string;
  /** Rows that there are; unknown before the first addition. */
  #count: number | undefined;

  constructor(store: Store, appId: string, databaseId: string) {
    this.#store = store;
    this.#appId = appId;
    this.#databaseId = databaseId;
  }

  /** Those in [from, to), ascending. */
  async between(from: number, to: number): Promise<readonly number[]> {
    const counters: number[] = [];
    await this.#scan(from, to, (rows) => {
      for (const { key } of rows) counters.push(reservedCounterOf(key));
    });
    return counters;
  }

  /** Durable when it resolves. Returns false, and adds nothing, when there would be more than `countMax`. */
  async add(counters: readonly number[], countMax: number): Promise<boolean> {
    const count = this.#count ?? (await this.#countRows());
    this.#count = count;
    const keys = counters.map((counter) => this.#key(counter));
    const known = await this.#store.getMany(keys);
    const fresh = keys.filter((_, at) => known[at] === undefined);
    if (count + fresh.length > countMax) return false;
    const transaction = this.#store.begin();
    for (const key of fresh) transaction.put(key, NOTHING);
    await transaction.commit();
    this.#count = count + fresh.length;
    return true;
  }

  /** Takes them away in `transaction`, which must be committed before the next call. */
  remove(transaction: StoreTransaction, counters: readonly number[]): void {
    for (const counter of counters) transaction.delete(this.#key(counter));
    if (this.#count !== undefined) this.#count -= counters.length;
  }

  async #countRows(): Promise<number> {
    let count = 0;
    await this.#scan(0, COUNTERS_END, (rows) => {
      count += rows.length;
    });
    return count;
  }

  async #scan(from: number, to: number, take: (rows: readonly Row[]) => void): Promise<void> {
    const scan = this.#store.scan({ from: this.#key(from), to: this.#key(to) }, { keysOnly: true });
    try {
      for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) take(rows);
    } finally {
      await scan.close();
    }
  }

  #key(counter: number): Buffer {
    return reservedIdKey(this.#appId, this.#databaseId, counter);
  }
}
