// Backfill: writes the rows of a new index for entities that were there before it, in bounded steps that survive a
// restart: a step commits its rows together with how far it got.
//
// No entity is missed. An index is on disk before commits maintain it, and the backfill starts after that. A commit that
// did not know the index yet was submitted before any step of the backfill is; so either the step reads its rows, or it
// conflicts with them and is made again.
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Log } from '../../sdk/support/log.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { appKindsPrefix, entityRowKey, kindPrefix, readKindRowKey } from '../codec/row-key.ts';
import { keyAfter, keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type CompositeIndex } from './composite-index.ts';
import { type IndexCatalog } from './index-catalog.ts';
import { compositeRows } from './index-rows.ts';
import { indexedValues } from './indexed-values.ts';

const STEP_ENTITIES = 200;
const REASON_CHARACTERS_MAX = 500;

export class IndexBuilder {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #log: Log;
  readonly #nextVersion: () => bigint;
  #running: Promise<void> | undefined;
  #stopping = false;

  /** `nextVersion` gives a commit version greater than all before, for a commit submitted in the same turn. */
  constructor(store: Store, catalog: IndexCatalog, nextVersion: () => bigint, log: Log) {
    this.#store = store;
    this.#catalog = catalog;
    this.#nextVersion = nextVersion;
    this.#log = log;
  }

  /** Builds what waits to be built, in the background. */
  start(): void {
    this.#stopping = false;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#stopping && this.#catalog.building().length > 0) this.start();
    });
  }

  /** Resolves when nothing is left to build. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Stops after the step under way. */
  async close(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#catalog.building()[0]; next && !this.#stopping; next = this.#catalog.building()[0]) {
      await this.#build(next.appId, next.index);
    }
  }

  async #build(appId: string, start: CompositeIndex): Promise<void> {
    let entities = STEP_ENTITIES;
    for (let index = start; index.state === 'building' && !this.#stopping;) {
      try {
        index = await this.#step(appId, index, entities);
        entities = STEP_ENTITIES;
      } catch (error) {
        if (error instanceof PlatformError && error.code === 'DS_TX_CONFLICT') {
          // The fewer entities a step reads, the less likely somebody changes one of them meanwhile.
          entities = Math.max(1, entities >> 1);
          continue;
        }
        if (error instanceof PlatformError && error.code === 'DS_CLOSED') {
          this.#stopping = true;
          return;
        }
        this.#log.error('An index could not be built', { appId, kind: index.definition.kind, error: String(error) });
        index = { ...index, state: 'error', reason: reasonOf(error) };
        await this.#giveUp(appId, index);
      }
    }
  }

  async #giveUp(appId: string, index: CompositeIndex): Promise<void> {
    try {
      await this.#catalog.change(appId, index, this.#store.begin());
    } catch (error) {
      // The store is in trouble: the index stays as it was on disk and is tried again after the next start.
      this.#stopping = true;
      this.#log.error('The state of an index could not be written', { appId, error: String(error) });
    }
  }

  /** Indexes the next entities; returns the index with its new progress and state. */
  async #step(appId: string, index: CompositeIndex, entitiesMax: number): Promise<CompositeIndex> {
    const transaction = this.#store.begin();
    try {
      const { rowKeys, isLast } = await this.#nextKindRows(transaction, appId, index, entitiesMax);
      const found = rowKeys.map(readKindRowKey);
      const stored = await transaction.getMany(found.map(({ partition, path }) => entityRowKey(partition, path)));
      found.forEach(({ partition, path }, at) => {
        const bytes = stored[at];
        if (!bytes) throw new PlatformError('DS_CORRUPT', 'a kind row without its entity');
        const { properties } = decodeEntity(decodeEntityRow(bytes).message);
        for (const row of compositeRows(partition, path, indexedValues(properties, appId), index)) transaction.put(row.key, row.value);
      });
      const progress = rowKeys.at(-1);
      const done = index.done + rowKeys.length;
      const { id, definition, estimate } = index;
      const next: CompositeIndex = isLast
        ? { id, definition, state: 'serving', since: this.#nextVersion(), done, estimate }
        : { ...index, done, ...(progress ? { progress } : {}) };
      await this.#catalog.change(appId, next, transaction);
      return next;
    } finally {
      await transaction.close();
    }
  }

  /** The kind rows of the index's kind after its progress, over all databases and namespaces of the app. */
  async #nextKindRows(
    transaction: StoreTransaction,
    appId: string,
    index: CompositeIndex,
    rowsMax: number,
  ): Promise<{ readonly rowKeys: readonly Buffer[]; readonly isLast: boolean }> {
    const { from: start, to } = prefixRange(appKindsPrefix(appId));
    for (let from = index.progress ? keyAfter(index.progress) : start; ;) {
      const [first] = await this.#scanKeys(transaction, from, to, 1);
      if (!first) return { rowKeys: [], isLast: true };
      const { partition } = readKindRowKey(first);
      const ofKind = prefixRange(kindPrefix(partition, index.definition.kind));
      const kindFrom = Buffer.compare(from, ofKind.from) > 0 ? from : ofKind.from;
      const rowKeys = Buffer.compare(kindFrom, ofKind.to) < 0 ? await this.#scanKeys(transaction, kindFrom, ofKind.to, rowsMax) : [];
      if (rowKeys.length > 0) return { rowKeys, isLast: false };
      from = keyAfterPrefix(partition.kinds) ?? to;
    }
  }

  async #scanKeys(transaction: StoreTransaction, from: Buffer, to: Buffer, rowsMax: number): Promise<readonly Buffer[]> {
    const scan = transaction.scan({ from, to }, { limit: rowsMax, keysOnly: true });
    const keys: Buffer[] = [];
    for (let rows = await scan.next(rowsMax); rows.length > 0; rows = await scan.next(rowsMax)) keys.push(...rows.map(({ key }) => key));
    await scan.close();
    return keys;
  }
}

/** What people are shown. */
function reasonOf(error: unknown): string {
  return error instanceof PlatformError
    ? `${error.code}: ${error.message}`.slice(0, REASON_CHARACTERS_MAX)
    : 'an error of the platform, see its log';
}
