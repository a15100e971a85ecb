// Storage: an ordered transactional key-value store and its adapters, in the manner of FoundationDB's client API.
// Must not know what keys and values mean: no codec, no entities, no apps.
// Read next: level-store.ts (default), memory-store.ts (twin), group-commit.ts (how commits are ordered), ../FORMAT.md.

/** A half-open range of keys in bytewise order. */
export interface KeyRange {
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
}

export interface Row {
  readonly key: Buffer;
  /** Empty when the scan asked for keys only. */
  readonly value: Buffer;
}

export interface ScanOptions {
  readonly direction?: 'forward' | 'backward';
  /** Rows at most; absent for all of the range. */
  readonly limit?: number;
  /** Spares reading the values. */
  readonly keysOnly?: boolean;
}

/** A scan under way. One `next` at a time. */
export interface RowScan {
  /** The next rows in order, 1 … `rowsMax` of them, fewer at the store's discretion; none at the end. */
  next(rowsMax: number): Promise<readonly Row[]>;
  /** Releases the scan, twice without harm. */
  close(): Promise<void>;
}

/** Reads one state of the store. Every method throws DS_CLOSED once the state or the store is closed. */
export interface StoreReader {
  get(key: Buffer): Promise<Buffer | undefined>;
  /** Values in the order of `keys`, all of one state. */
  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]>;
  scan(range: KeyRange, options?: ScanOptions): RowScan;
}

/** The state at one moment. Pins it: close it soon. */
export interface StoreSnapshot extends StoreReader {
  /**
   * Resolves when the state that reads see is fixed. Until then, or until the first read, it may be any of those between
   * the call that made this and now; commits acknowledged before that call are in it in any case. Waiting is for callers that
   * act on something else in between. Throws what reads throw, and DS_OVERLOADED.
   */
  pinned(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A serialisable read-write transaction.
 *
 * Reads see the state at `begin` (see `pinned`, and BeginOptions) and never the transaction's own writes. What it read (keys, and ranges as far as they
 * were scanned) must be unchanged at `commit`, or the commit fails with DS_TX_CONFLICT and has no effect. A transaction
 * without reads never conflicts. One without writes commits at once, at the state it read.
 */
export interface StoreTransaction extends StoreReader {
  /** As StoreSnapshot.pinned. Resolves at once when reads see the latest state. */
  pinned(): Promise<void>;
  /** As `get`, of the state that reads see, without that the commit depends on it. */
  peek(key: Buffer): Promise<Buffer | undefined>;
  /** Buffers a write; the last write of a key wins. The caller must not change `key` or `value` afterwards. */
  put(key: Buffer, value: Buffer): void;
  delete(key: Buffer): void;
  /**
   * Applies all writes or none, and resolves when they are durable. Transactions take effect in the order of their
   * `commit` calls. Ends the transaction either way. Throws DS_TX_CONFLICT, DS_LIMIT, DS_OVERLOADED, or DS_CLOSED: after
   * a failed write the store takes no more writes until it is started again, and the outcome of that one is unknown.
   * `onWriting` is called when the writes are about to be written, with a number that others have whose writes appear at the same
   * moment: until then no reader sees them.
   */
  commit(onWriting?: (batch: number) => void): Promise<void>;
  /** Gives up what is not committed, twice without harm. */
  close(): Promise<void>;
}

export interface BeginOptions {
  /**
   * snapshot (default): all reads see the state at `begin`. latest: each read sees the newest durable state at its own moment,
   * so reads may not fit together; the commit still fails unless everything read is as it was at `begin`. Cheaper, for
   * transactions that decide nothing before they commit.
   */
  readonly reads?: 'snapshot' | 'latest';
}

/** Reading the store directly sees the newest durable state. */
export interface Store extends StoreReader {
  /** Opens the store. Throws DATA_DIR_HELD when another process has it. A closed store may be started again. */
  start(): Promise<void>;
  begin(options?: BeginOptions): StoreTransaction;
  snapshot(): StoreSnapshot;
  /** Waits for the commits under way, then releases everything; open transactions and scans fail with DS_CLOSED. */
  close(): Promise<void>;
}
