// The composite indexes of one snapshot, from its own rows: what is in memory may be a step ahead of it or behind.
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { FAMILY } from '../codec/row-key.ts';
import { type CompositeIndex, isKept, isMaintained } from '../index/composite-index.ts';
import { decodeIndex } from '../index/index-row.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Row, type StoreReader } from '../storage/port.ts';

interface AppIndexes {
  readonly indexes: readonly CompositeIndex[];
  /**
   * Ids of indexes of which nothing can be said: their X row cannot be read, they are in error and kept as they were, or they
   * are being deleted, row after row.
   */
  readonly undecided: ReadonlySet<number>;
}

const NONE: AppIndexes = { indexes: [], undecided: new Set() };
const CHUNK_ROWS = 256;

export class SnapshotIndexes {
  readonly #reader: StoreReader;
  readonly #apps = new Map<string, AppIndexes>();

  constructor(reader: StoreReader) {
    this.#reader = reader;
  }

  /** Reads the indexes of the apps whose rows these are. */
  async prepare(rows: readonly Row[]): Promise<void> {
    for (const { key } of rows) {
      const appId = appOf(key);
      if (appId !== undefined && !this.#apps.has(appId)) this.#apps.set(appId, await this.#read(appId));
    }
  }

  /** Those in which the entity with this kind row has rows. */
  maintained(appId: string, kind: string, kindRow: Buffer): readonly CompositeIndex[] {
    return this.#of(appId).indexes.filter((index) => index.definition.kind === kind && isMaintained(index, kindRow));
  }

  byId(appId: string, indexId: number): CompositeIndex | 'undecided' | undefined {
    const { indexes, undecided } = this.#of(appId);
    return undecided.has(indexId) ? 'undecided' : indexes.find(({ id }) => id === indexId);
  }

  #of(appId: string): AppIndexes {
    return this.#apps.get(appId) ?? NONE;
  }

  async #read(appId: string): Promise<AppIndexes> {
    const indexes: CompositeIndex[] = [];
    const undecided = new Set<number>();
    const prefix = new OrderedWriter().byte(FAMILY.index).text(appId).take();
    const scan = this.#reader.scan(prefixRange(prefix));
    try {
      for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
        for (const { key, value } of rows) {
          if (key.length !== prefix.length + 4) continue;
          const id = key.readUInt32BE(prefix.length);
          try {
            const index = decodeIndex(id, value);
            if (isKept(index)) indexes.push(index);
            else undecided.add(id);
          } catch {
            undecided.add(id);
          }
        }
      }
    } finally {
      await scan.close();
    }
    return { indexes, undecided };
  }
}

/** Of a row whose key names an app first. */
export function appOf(key: Buffer): string | undefined {
  try {
    return new OrderedReader(key, 1).text();
  } catch {
    return undefined;
  }
}
