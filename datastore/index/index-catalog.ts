// Which composite indexes each app has: all of them in memory, each change on disk first.
//
//   index counter row := S 05 app:str → checked row of id:u32        the last index that was made, so that no id comes again
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { FAMILY, INDEX_COUNTERS, indexCounterKey, indexDefinitionKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Row, type Store, type StoreTransaction } from '../storage/port.ts';
import { BackfillGate } from './backfill-gate.ts';
import { assertMove, checkDefinition, type CompositeIndex, isKept, isMaintained, isSameDefinition } from './composite-index.ts';
import { decodeIndex, encodeIndex } from './index-row.ts';

export interface AppIndex {
  readonly appId: string;
  readonly index: CompositeIndex;
}

const NONE: readonly CompositeIndex[] = [];
const CHUNK_ROWS = 256;

export class IndexCatalog {
  /** Entities that are being indexed right now: a commit waits before it touches them. */
  readonly gate = new BackfillGate();
  readonly #store: Store;
  readonly #apps = new Map<string, readonly CompositeIndex[]>();
  readonly #lastIds = new Map<string, number>();
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads all definitions. Throws DS_CORRUPT. */
  async start(): Promise<void> {
    this.#apps.clear();
    this.#lastIds.clear();
    await this.#readAll(Buffer.from([FAMILY.index]), ({ key, value }) => {
      const reader = new OrderedReader(key, 1);
      const appId = reader.text();
      const index = decodeIndex(reader.uint32(), value);
      this.#set(appId, index);
      this.#lastIds.set(appId, Math.max(index.id, this.#lastId(appId)));
    });
    await this.#readAll(INDEX_COUNTERS, ({ key, value }) => {
      const appId = new OrderedReader(key, INDEX_COUNTERS.length).text();
      const id = new OrderedReader(decodeCheckedRow(value, 'an index counter')).uint32();
      this.#lastIds.set(appId, Math.max(id, this.#lastId(appId)));
    });
  }

  /** All of an app, those being deleted too. */
  list(appId: string): readonly CompositeIndex[] {
    return this.#apps.get(appId) ?? NONE;
  }

  /** Those that every entity of the kind must fit into. */
  kept(appId: string, kind: string): readonly CompositeIndex[] {
    const all = this.list(appId);
    return all.length === 0 ? NONE : all.filter((index) => index.definition.kind === kind && isKept(index));
  }

  /**
   * Those in which the entity with this kind row has rows: what a write to it maintains. Read it in the turn in which the
   * commit is submitted, once the gate is open for the entity.
   */
  maintained(appId: string, kind: string, kindRow: () => Buffer): readonly CompositeIndex[] {
    const kept = this.kept(appId, kind);
    return kept.length === 0 ? NONE : kept.filter((index) => isMaintained(index, kindRow()));
  }

  find(appId: string, id: number): CompositeIndex | undefined {
    return this.list(appId).find((index) => index.id === id);
  }

  /** Every index with work for the background. */
  waiting(): readonly AppIndex[] {
    return [...this.#apps].flatMap(([appId, indexes]) =>
      indexes.filter(({ state }) => state === 'building' || state === 'deleting').map((index) => ({ appId, index })),
    );
  }

  /**
   * Creates what is missing, and failed ones anew; leaves others in place. Throws DS_INVALID or DS_LIMIT before it changes
   * anything. Changes are made one call after the other.
   */
  ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly CompositeIndex[]> {
    return this.#inTurn(() => this.#ensure(appId, definitions));
  }

  /** From when this resolves on neither commits nor queries use the index. Throws DS_INDEX_NOT_FOUND. */
  delete(appId: string, id: number): Promise<CompositeIndex> {
    return this.#inTurn(async () => {
      const index = this.find(appId, id);
      if (!index) throw new PlatformError('DS_INDEX_NOT_FOUND', `${appId} has no index ${id}`);
      if (index.state === 'deleting') return index;
      const gone = deleted(index);
      await this.#write(appId, [gone]);
      return gone;
    });
  }

  /**
   * Puts `to` in the place of `from`, which must be the index as `list` or `waiting` gave it, in `transaction`, which must have
   * read its row; known when that has committed. Throws DS_TX_CONFLICT when the index was changed meanwhile.
   */
  change(appId: string, from: CompositeIndex, to: CompositeIndex, transaction: StoreTransaction): Promise<void> {
    if (this.find(appId, from.id) !== from) return Promise.reject(new PlatformError('DS_TX_CONFLICT', 'the index was changed'));
    assertMove(from, to);
    transaction.put(indexDefinitionKey(appId, to.id), encodeIndex(to));
    return this.#beside(
      transaction.commit().then(() => {
        this.#set(appId, to);
      }),
    );
  }

  /** Takes the row of a deleted index away, likewise. */
  remove(appId: string, index: CompositeIndex, transaction: StoreTransaction): Promise<void> {
    transaction.delete(indexDefinitionKey(appId, index.id));
    return this.#beside(
      transaction.commit().then(() => {
        this.#apps.set(
          appId,
          this.list(appId).filter(({ id }) => id !== index.id),
        );
      }),
    );
  }

  /** Runs `wipe`, which takes the definitions of some apps off the disk, while nothing is changed; `forget` what it took away. */
  whileUnchanged<T>(wipe: () => Promise<T>): Promise<T> {
    return this.#inTurn(wipe);
  }

  /** Within `whileUnchanged`. Ids that were given out stay so. */
  forget(appIds: readonly string[]): void {
    for (const appId of appIds) this.#apps.delete(appId);
  }

  async #ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly CompositeIndex[]> {
    for (const definition of definitions) checkDefinition(definition);
    const all = this.list(appId);
    const known = all.filter(isKept);
    const wanted = definitions.filter((one, at) => definitions.findIndex((other) => isSameDefinition(one, other)) === at);
    const missing = wanted.filter((one) => !known.some((index) => isSameDefinition(index.definition, one)));
    if (missing.length === 0) return all;
    const failed = all.filter((index) => index.state === 'error' && missing.some((one) => isSameDefinition(index.definition, one)));
    const kept = all.filter(({ state }) => state !== 'deleting').length - failed.length + missing.length;
    if (kept > LIMITS.compositeIndexesMax) {
      throw new PlatformError('DS_LIMIT', `an app has at most ${LIMITS.compositeIndexesMax} composite indexes`);
    }
    const deleting = all.length + missing.length - kept;
    if (deleting > LIMITS.compositeIndexesDeletingMax) {
      throw new PlatformError('DS_LIMIT', `${deleting} indexes of the app are being deleted; try again when they are gone`);
    }
    const lastId = this.#lastId(appId);
    const made = missing.map((definition, at): CompositeIndex => ({
      id: lastId + 1 + at,
      definition,
      state: 'building',
      since: 0n,
      done: 0,
      estimate: 0,
    }));
    await this.#write(appId, [...failed.map(deleted), ...made]);
    return this.list(appId);
  }

  /** Also the counter, since the rows that hold the ids will be gone. */
  async #write(appId: string, changed: readonly CompositeIndex[]): Promise<void> {
    const lastId = Math.max(this.#lastId(appId), ...changed.map(({ id }) => id));
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lastId);
    const transaction = this.#store.begin();
    transaction.put(indexCounterKey(appId), encodeCheckedRow(counter));
    for (const index of changed) transaction.put(indexDefinitionKey(appId, index.id), encodeIndex(index));
    // Used up even if the commit fails: it may have reached the disk.
    this.#lastIds.set(appId, lastId);
    await transaction.commit();
    for (const index of changed) this.#set(appId, index);
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const change = this.#lastChange.then(action);
    this.#lastChange = change.catch(() => undefined);
    return change;
  }

  /** What is already submitted: later changes see its outcome. */
  #beside(change: Promise<void>): Promise<void> {
    this.#lastChange = Promise.all([this.#lastChange, change.catch(() => undefined)]);
    return change;
  }

  async #readAll(prefix: Buffer, each: (row: Row) => void): Promise<void> {
    const scan = this.#store.scan(prefixRange(prefix));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) rows.forEach(each);
    await scan.close();
  }

  #lastId(appId: string): number {
    return this.#lastIds.get(appId) ?? 0;
  }

  #set(appId: string, index: CompositeIndex): void {
    this.#apps.set(appId, [...this.list(appId).filter(({ id }) => id !== index.id), index]);
  }
}

/** How far its building was is forgotten: progress is the deletion's now. */
function deleted({ id, definition, since }: CompositeIndex): CompositeIndex {
  return { id, definition, state: 'deleting', since, done: 0, estimate: 0 };
}
