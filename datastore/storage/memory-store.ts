// The in-memory twin, for tests and `--ephemeral`: the same concurrency as the level adapter, nothing on disk.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { assert } from '../../sdk/support/assert.ts';
import { GroupCommit } from './group-commit.ts';
import { keyAfter } from './key-bytes.ts';
import { type Tree, treeCollect, treeDelete, treeGet, treePut } from './memory-tree.ts';
import { OptimisticTransaction } from './optimistic-transaction.ts';
import {
  type BeginOptions,
  type KeyRange,
  type Row,
  type RowScan,
  type ScanOptions,
  type Store,
  type StoreSnapshot,
  type StoreTransaction,
} from './port.ts';

/** Keeps its rows while closed, so that closing and starting again behaves as on disk. */
export class MemoryStore implements Store {
  #root: Tree;
  #isOpen = false;
  #generation = 0;
  // xorshift32: balance needs spread, not secrecy, and a fixed seed keeps runs alike.
  #spread = 0x9e3779b9;

  readonly #commits = new GroupCommit((groups) => {
    let root = this.#root;
    for (const writes of groups) {
      for (const { key, value } of writes) {
        root = value === undefined ? treeDelete(root, key) : treePut(root, key, value, this.#priority());
      }
    }
    this.#root = root;
    return Promise.resolve();
  });

  start(): Promise<void> {
    assert(!this.#isOpen, 'a store is started once before it is closed');
    this.#isOpen = true;
    this.#commits.reset();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#commits.close();
    this.#isOpen = false;
    this.#generation++;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.snapshot().get(key);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return this.snapshot().getMany(keys);
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    return this.snapshot().scan(range, options);
  }

  begin({ reads = 'snapshot' }: BeginOptions = {}): StoreTransaction {
    this.#assertOpen(this.#generation);
    const latest: StoreSnapshot = {
      pinned: () => Promise.resolve(),
      get: (key) => this.get(key),
      getMany: (keys) => this.getMany(keys),
      scan: (range, options) => this.scan(range, options),
      close: () => Promise.resolve(),
    };
    const start = this.#commits.begin();
    return new OptimisticTransaction(this.#commits, start, reads === 'latest' ? latest : this.snapshot());
  }

  snapshot(): StoreSnapshot {
    this.#assertOpen(this.#generation);
    const generation = this.#generation;
    return new MemorySnapshot(this.#root, () => {
      this.#assertOpen(generation);
    });
  }

  #assertOpen(generation: number): void {
    if (!this.#isOpen || generation !== this.#generation) throw new PlatformError('DS_CLOSED', 'the store is closed');
  }

  #priority(): number {
    this.#spread ^= this.#spread << 13;
    this.#spread ^= this.#spread >>> 17;
    this.#spread ^= this.#spread << 5;
    return this.#spread;
  }
}

class MemorySnapshot implements StoreSnapshot {
  readonly #root: Tree;
  readonly #assertStoreOpen: () => void;
  #closed = false;

  constructor(root: Tree, assertStoreOpen: () => void) {
    this.#root = root;
    this.#assertStoreOpen = assertStoreOpen;
  }

  async pinned(): Promise<void> {
    await this.#turn();
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    await this.#turn();
    return treeGet(this.#root, key);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    await this.#turn();
    return keys.map((key) => treeGet(this.#root, key));
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    this.#assertOpen();
    const { direction = 'forward', limit = Infinity, keysOnly = false } = options;
    let rest = range;
    let left = limit;
    let closed = false;
    return {
      next: async (rowsMax) => {
        await this.#turn();
        if (closed) throw new PlatformError('DS_CLOSED', 'the scan is closed');
        const rows: Row[] = [];
        treeCollect(this.#root, rest, direction, Math.min(rowsMax, left), rows);
        left -= rows.length;
        const last = rows.at(-1);
        if (last) rest = direction === 'forward' ? { from: keyAfter(last.key), to: rest.to } : { from: rest.from, to: last.key };
        return keysOnly ? rows.map(({ key }) => ({ key, value: NO_VALUE })) : rows;
      },
      close: () => {
        closed = true;
        return Promise.resolve();
      },
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Answers no sooner than disk would: callers that rely on an answer in the same turn break here first. */
  async #turn(): Promise<void> {
    this.#assertOpen();
    await Promise.resolve();
  }

  #assertOpen(): void {
    this.#assertStoreOpen();
    if (this.#closed) throw new PlatformError('DS_CLOSED', 'the snapshot is closed');
  }
}

const NO_VALUE = Buffer.alloc(0);
