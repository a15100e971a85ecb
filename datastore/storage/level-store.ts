// The default adapter: level, which is classic-level on Node (LevelDB), one database in one directory, one process.
// Commits are written by GroupCommit as one synced LevelDB batch; reads use LevelDB's explicit snapshots.
import { type AbstractIterator, type AbstractSnapshot } from 'abstract-level';
import { Level } from 'level';
import { type Clock, systemClock } from '../../sdk/support/clock.ts';
import { assert } from '../../sdk/support/assert.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { GroupCommit, type Write } from './group-commit.ts';
import { LogName } from './log-name.ts';
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
import { ReadCoalescer } from './read-coalescer.ts';
import { ReadPace } from './read-pace.ts';

export interface LevelStoreOptions {
  /** Uncompressed blocks kept in memory. */
  readonly cacheBytes?: number;
  /** Times reads, to make them in this thread only while they are quick (read-pace.ts). */
  readonly clock?: Clock;
  /** The memtable; larger means fewer, larger level-0 files and a longer log to replay after a crash. */
  readonly writeBufferBytes?: number;
}

const MiB = 1024 * 1024;
const NO_VALUE = Buffer.alloc(0);
// LevelDB fills a chunk until this many bytes; the row count is what we mean to bound chunks by.
const CHUNK_BYTES_MAX = MiB;

export class LevelStore implements Store {
  readonly #location: string;
  readonly #options: LevelStoreOptions;
  readonly #commits: GroupCommit;
  readonly #logName: LogName;
  readonly #pace: ReadPace;
  readonly #elsewhere = new ReadCoalescer((keys) => readMany(this.#open(), keys, undefined));
  readonly #latest = new LatestState(this);
  #level: Level<Buffer, Buffer> | undefined;

  constructor(location: string, options: LevelStoreOptions = {}) {
    this.#location = location;
    this.#options = options;
    this.#pace = new ReadPace(options.clock ?? systemClock);
    this.#logName = new LogName(location);
    this.#commits = new GroupCommit(async (groups) => {
      await writeSynced(this.#open(), groups);
      await this.#logName.afterBatch();
    });
  }

  async start(): Promise<void> {
    assert(this.#level === undefined, 'a store is started once before it is closed');
    const level = new Level<Buffer, Buffer>(this.#location, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: this.#options.cacheBytes ?? 64 * MiB,
      writeBufferSize: this.#options.writeBufferBytes ?? 16 * MiB,
      maxFileSize: 8 * MiB,
    });
    try {
      await level.open();
    } catch (error) {
      throw fromLevel(error);
    }
    try {
      await this.#logName.start();
    } catch (error) {
      await level.close();
      throw new PlatformError('INTERNAL', 'the names of its files cannot be made durable', { cause: error });
    }
    this.#level = level;
    this.#commits.reset();
  }

  async close(): Promise<void> {
    await this.#commits.close();
    const level = this.#level;
    this.#level = undefined;
    await this.#logName.close();
    await level?.close();
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    const level = this.#open();
    const here = this.#pace.try(() => readHere(level, key, undefined));
    return here ? here.value : this.#elsewhere.get(key);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return readMany(this.#open(), keys, undefined);
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    return new LevelScan(this.#open(), range, options, undefined);
  }

  begin({ reads = 'snapshot' }: BeginOptions = {}): StoreTransaction {
    const level = this.#open();
    const start = this.#commits.begin();
    return new OptimisticTransaction(this.#commits, start, reads === 'snapshot' ? new LevelSnapshot(level, this.#pace) : this.#latest);
  }

  snapshot(): StoreSnapshot {
    return new LevelSnapshot(this.#open(), this.#pace);
  }

  #open(): Level<Buffer, Buffer> {
    if (!this.#level) throw new PlatformError('DS_CLOSED', 'the store is closed');
    return this.#level;
  }
}

/** The newest state at each read, in the shape of a snapshot. */
class LatestState implements StoreSnapshot {
  readonly #store: LevelStore;

  constructor(store: LevelStore) {
    this.#store = store;
  }

  pinned(): Promise<void> {
    return Promise.resolve();
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.get(key);
  }

  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return this.#store.getMany(keys);
  }

  scan(range: KeyRange, options?: ScanOptions): RowScan {
    return this.#store.scan(range, options);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class LevelSnapshot implements StoreSnapshot {
  readonly #level: Level<Buffer, Buffer>;
  readonly #pace: ReadPace;
  readonly #snapshot: AbstractSnapshot;

  constructor(level: Level<Buffer, Buffer>, pace: ReadPace) {
    this.#level = level;
    this.#pace = pace;
    this.#snapshot = level.snapshot();
  }

  pinned(): Promise<void> {
    return Promise.resolve();
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    const here = this.#pace.try(() => readHere(this.#level, key, this.#snapshot));
    return here ? here.value : readOne(this.#level, key, this.#snapshot);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return readMany(this.#level, keys, this.#snapshot);
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    return new LevelScan(this.#level, range, options, this.#snapshot);
  }

  async close(): Promise<void> {
    await this.#snapshot.close();
  }
}

class LevelScan implements RowScan {
  readonly #keysOnly: boolean;
  readonly #iterator: AbstractIterator<Level<Buffer, Buffer>, Buffer, Buffer>;

  constructor(level: Level<Buffer, Buffer>, range: KeyRange, options: ScanOptions, snapshot: AbstractSnapshot | undefined) {
    this.#keysOnly = options.keysOnly === true;
    try {
      this.#iterator = level.iterator({
        gte: range.from,
        lt: range.to,
        reverse: options.direction === 'backward',
        limit: options.limit ?? -1,
        values: !this.#keysOnly,
        highWaterMarkBytes: CHUNK_BYTES_MAX,
        snapshot,
      });
    } catch (error) {
      throw fromLevel(error);
    }
  }

  async next(rowsMax: number): Promise<readonly Row[]> {
    try {
      const entries = await this.#iterator.nextv(rowsMax);
      return entries.map(([key, value]) => ({ key, value: this.#keysOnly ? NO_VALUE : value }));
    } catch (error) {
      throw fromLevel(error);
    }
  }

  async close(): Promise<void> {
    await this.#iterator.close();
  }
}

function readHere(level: Level<Buffer, Buffer>, key: Buffer, snapshot: AbstractSnapshot | undefined): Buffer | undefined {
  try {
    // Options, even empty ones, make it take a slower path.
    return snapshot ? level.getSync(key, { snapshot }) : level.getSync(key);
  } catch (error) {
    throw fromLevel(error);
  }
}

async function readOne(level: Level<Buffer, Buffer>, key: Buffer, snapshot: AbstractSnapshot | undefined): Promise<Buffer | undefined> {
  try {
    return await level.get(key, { snapshot });
  } catch (error) {
    throw fromLevel(error);
  }
}

async function readMany(
  level: Level<Buffer, Buffer>,
  keys: readonly Buffer[],
  snapshot: AbstractSnapshot | undefined,
): Promise<readonly (Buffer | undefined)[]> {
  try {
    return await level.getMany([...keys], { snapshot });
  } catch (error) {
    throw fromLevel(error);
  }
}

/** A chained batch crosses into LevelDB row by row, which here is twice as fast as a list of operations. */
async function writeSynced(level: Level<Buffer, Buffer>, groups: readonly (readonly Write[])[]): Promise<void> {
  const batch = level.batch();
  for (const writes of groups) {
    for (const { key, value } of writes) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
  }
  await batch.write({ sync: true });
}

function fromLevel(error: unknown): PlatformError {
  // A failed open says why in its cause.
  const code = errorCode(error instanceof Error ? error.cause : undefined) ?? errorCode(error);
  switch (code) {
    case 'LEVEL_LOCKED':
      return new PlatformError('DATA_DIR_HELD', undefined, { cause: error });
    case 'LEVEL_CORRUPTION':
      return new PlatformError('DS_CORRUPT', undefined, { cause: error });
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
    case 'LEVEL_SNAPSHOT_NOT_OPEN':
      return new PlatformError('DS_CLOSED', undefined, { cause: error });
    default:
      return new PlatformError('INTERNAL', 'the store cannot be read', { cause: error });
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
