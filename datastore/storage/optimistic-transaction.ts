// A transaction that remembers what it reads and checks it at commit. Shared by the adapters that live in one process.
//
// States: open → committing → ended; open → ended (given up).
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type GroupCommit, type Start, type Write } from './group-commit.ts';
import { type KeyRange, type RowScan, type ScanOptions, type StoreSnapshot, type StoreTransaction } from './port.ts';
import { ReadSet } from './read-set.ts';

export class OptimisticTransaction implements StoreTransaction {
  readonly #commits: GroupCommit;
  readonly #snapshot: StoreSnapshot;
  readonly #start: Start;
  readonly #reads = new ReadSet();
  readonly #writes: Write[] = [];
  #bytes = 0;
  #state: 'open' | 'committing' | 'ended' = 'open';

  /** `start` must have been taken no later than `snapshot`. Owns both. */
  constructor(commits: GroupCommit, start: Start, snapshot: StoreSnapshot) {
    this.#commits = commits;
    this.#start = start;
    this.#snapshot = snapshot;
  }

  async pinned(): Promise<void> {
    this.#assertOpen();
    await this.#snapshot.pinned();
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    this.#note(1);
    this.#reads.addKey(key);
    return this.#snapshot.get(key);
  }

  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    this.#note(keys.length);
    for (const key of keys) this.#reads.addKey(key);
    return this.#snapshot.getMany(keys);
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    this.#note(1);
    return this.#reads.watch(this.#snapshot.scan(range, options), range, options);
  }

  peek(key: Buffer): Promise<Buffer | undefined> {
    this.#assertOpen();
    return this.#snapshot.get(key);
  }

  put(key: Buffer, value: Buffer): void {
    this.#write(key, value);
  }

  delete(key: Buffer): void {
    this.#write(key, undefined);
  }

  async commit(onWriting?: (batch: number) => void): Promise<void> {
    this.#assertOpen();
    this.#state = 'committing';
    try {
      // Serialisable without a check: it reads one state and changes nothing.
      if (this.#writes.length === 0) return;
      await this.#commits.submit(this.#start, this.#reads, this.#writes, this.#bytes, onWriting);
    } finally {
      this.#end();
    }
  }

  close(): Promise<void> {
    // A commit under way ends the transaction itself.
    if (this.#state === 'open') this.#end();
    return Promise.resolve();
  }

  #write(key: Buffer, value: Buffer | undefined): void {
    this.#assertOpen();
    this.#bytes += key.length + (value?.length ?? 0);
    if (this.#bytes > LIMITS.storeTransactionBytesMax) {
      throw new PlatformError('DS_LIMIT', `a transaction writes at most ${LIMITS.storeTransactionBytesMax} bytes, index rows included`);
    }
    this.#writes.push({ key, value });
  }

  #note(reads: number): void {
    this.#assertOpen();
    if (this.#reads.keys.length + this.#reads.ranges.length + reads > LIMITS.storeTransactionReadsMax) {
      throw new PlatformError('DS_LIMIT', `a transaction reads at most ${LIMITS.storeTransactionReadsMax} keys and ranges`);
    }
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw new PlatformError('DS_CLOSED', 'the transaction has ended');
  }

  #end(): void {
    this.#state = 'ended';
    this.#commits.end(this.#start);
    // Reads under way keep the state until they are done; nothing waits for that.
    void this.#snapshot.close();
  }
}
