// Backfill: writes the rows of a new index for the entities that are there, in bounded steps that survive a crash: a step
// commits its rows together with how far it got.
//
// No entity is missed, and no row is written or counted twice. Commits maintain the index for the entities up to its
// progress, and leave the others to the backfill. A step reads the entities behind its progress; any commit on one of them
// that it has not seen makes it fail, to be made again, and while it is being committed the gate keeps further ones waiting.
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey } from '../../sdk/contract/key.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { appKindsPrefix, entityRowKey, indexDefinitionKey, keyFromPath, kindPrefix, readKindRowKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Row, type Store, type StoreReader, type StoreTransaction } from '../storage/port.ts';
import { type CompositeIndex } from './composite-index.ts';
import { checkEntries } from './entry-limits.ts';
import { type AppIndex, type IndexCatalog } from './index-catalog.ts';
import { encodeIndex } from './index-row.ts';
import { compositeRows } from './index-rows.ts';
import { counted, nextRows, type NextRows, type RowCounts } from './index-step.ts';
import { indexedValues } from './indexed-values.ts';

const ENTITIES_READ_AT_ONCE = 20;
/** A step ends with the entity that takes it beyond one of these. */
const STEP_ROWS_MAX = 2_000;
const STEP_ENTITY_BYTES_MAX = 1024 * 1024;
const ESTIMATE_CHUNK_ROWS = 2_000;
const ESTIMATE_ROWS_MAX = 1_000_000;

export interface StepOptions {
  /** At most; fewer are less likely to meet a commit. */
  readonly entitiesMax: number;
  /** Whether to close the gate before anything is read: for a step that was lost to commits again and again. */
  readonly gateFirst: boolean;
}

export class IndexBackfill {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #nextVersion: () => bigint;
  readonly #counts: RowCounts;

  /** `nextVersion` gives a commit version greater than all before, for a commit submitted in the same turn. */
  constructor(store: Store, catalog: IndexCatalog, nextVersion: () => bigint, counts: RowCounts) {
    this.#store = store;
    this.#catalog = catalog;
    this.#nextVersion = nextVersion;
    this.#counts = counts;
  }

  /**
   * Indexes the next entities. Throws DS_TX_CONFLICT when it lost to a commit, DS_LIMIT for an entity that does not fit into
   * the index, DS_CORRUPT.
   */
  async step({ appId, index }: AppIndex, { entitiesMax, gateFirst }: StepOptions): Promise<void> {
    const { gate } = this.#catalog;
    const range = { appId, ...(index.progress ? { after: index.progress } : {}) };
    if (gateFirst) {
      gate.close(range);
      await this.#settleCommits(appId, index).catch((error: unknown) => {
        gate.open();
        throw error;
      });
    }
    const transaction = this.#store.begin();
    try {
      // A deletion of the index that this step does not know of makes it fail.
      await transaction.get(indexDefinitionKey(appId, index.id));
      const next = await this.#next(transaction, appId, index, entitiesMax);
      const { rows, done, progress } = await this.#rowsOf(transaction, appId, index, next);
      for (const { key, value } of rows) transaction.put(key, value);
      if (!gateFirst) gate.close({ ...range, kind: index.definition.kind, ...(progress ? { upTo: progress } : {}) });
      const { id, definition, estimate } = index;
      const to: CompositeIndex = progress
        ? { ...index, done, progress }
        : { id, definition, state: 'serving', since: this.#nextVersion(), done, estimate };
      const changes = rows.map(({ key, value }) => ({ key, rows: 1, bytes: key.length + value.length, valueBytes: value.length }));
      await counted(this.#counts, appId, changes, () => this.#catalog.change(appId, index, to, transaction));
    } finally {
      gate.open();
      await transaction.close();
    }
  }

  /**
   * Counts what there is to do and notes it, in steps of its own: `rest` comes between them. At most a million is counted.
   * False when there is nothing. Throws DS_TX_CONFLICT.
   */
  async estimate({ appId, index }: AppIndex, rest: () => Promise<void>): Promise<boolean> {
    let estimate = 0;
    let progress: Buffer | undefined;
    do {
      const next = await this.#next(this.#store, appId, { definition: index.definition, progress }, ESTIMATE_CHUNK_ROWS);
      estimate += next.rows.length;
      ({ progress } = next);
      await rest();
    } while (progress && estimate < ESTIMATE_ROWS_MAX);
    if (estimate === 0) return false;
    const transaction = this.#store.begin();
    try {
      await transaction.get(indexDefinitionKey(appId, index.id));
      await this.#catalog.change(appId, index, { ...index, estimate }, transaction);
    } finally {
      await transaction.close();
    }
    return true;
  }

  /** Resolves when every commit submitted so far has its outcome: they take effect in the order of their submission. */
  async #settleCommits(appId: string, index: CompositeIndex): Promise<void> {
    const key = indexDefinitionKey(appId, index.id);
    const transaction = this.#store.begin();
    try {
      await transaction.get(key);
      transaction.put(key, encodeIndex(index));
      await transaction.commit();
    } finally {
      await transaction.close();
    }
  }

  /** The kind rows of the index's kind behind its progress, over all databases and namespaces of the app. */
  #next(
    reader: StoreReader,
    appId: string,
    { definition, progress }: Pick<CompositeIndex, 'definition'> & { readonly progress?: Buffer | undefined },
    rowsMax: number,
  ): Promise<NextRows> {
    const kinds = prefixRange(appKindsPrefix(appId));
    return nextRows(reader, kinds, (partition) => kindPrefix(partition, definition.kind), progress, { rowsMax, keysOnly: true });
  }

  async #rowsOf(
    transaction: StoreTransaction,
    appId: string,
    index: CompositeIndex,
    { rows: kindRows, progress }: NextRows,
  ): Promise<{ readonly rows: readonly Row[]; readonly done: number; readonly progress?: Buffer }> {
    const kept = this.#catalog.kept(appId, index.definition.kind);
    const rows: Row[] = [];
    let bytes = 0;
    for (let from = 0; from < kindRows.length; from += ENTITIES_READ_AT_ONCE) {
      const found = kindRows.slice(from, from + ENTITIES_READ_AT_ONCE).map(({ key }) => ({ kindRow: key, ...readKindRowKey(key) }));
      const stored = await transaction.getMany(found.map(({ partition, path }) => entityRowKey(partition, path)));
      for (const [at, { partition, path, kindRow }] of found.entries()) {
        const entityRow = stored[at];
        try {
          if (!entityRow) throw new PlatformError('DS_CORRUPT', 'a kind row without its entity');
          const values = indexedValues(decodeEntity(decodeEntityRow(entityRow).message).properties, appId);
          checkEntries(partition, path, values, kept);
          rows.push(...compositeRows(partition, path, values, index));
        } catch (cause) {
          throw new EntityUnfit(describeKey(keyFromPath(partition, path)), cause);
        }
        bytes += entityRow.length;
        if (rows.length > STEP_ROWS_MAX || bytes > STEP_ENTITY_BYTES_MAX) {
          return { rows, done: index.done + from + at + 1, progress: kindRow };
        }
      }
    }
    return { rows, done: index.done + kindRows.length, ...(progress ? { progress } : {}) };
  }
}

/** An entity that cannot be indexed, and why. */
export class EntityUnfit extends Error {
  constructor(key: string, cause: unknown) {
    const reason = cause instanceof PlatformError ? cause.message : String(cause);
    super(`${key}: ${reason}`, { cause });
    this.name = 'EntityUnfit';
  }
}
