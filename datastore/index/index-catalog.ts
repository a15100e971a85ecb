// Which composite indexes each app has: all of them in memory, each change on disk first.
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { FAMILY, indexDefinitionKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { checkDefinition, type CompositeIndex, isSameDefinition } from './composite-index.ts';
import { decodeIndex, encodeIndex } from './index-row.ts';

const NONE: readonly CompositeIndex[] = [];
const CHUNK_ROWS = 256;

export class IndexCatalog {
  readonly #store: Store;
  readonly #apps = new Map<string, readonly CompositeIndex[]>();
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads all definitions. */
  async start(): Promise<void> {
    this.#apps.clear();
    const scan = this.#store.scan(prefixRange(Buffer.from([FAMILY.index])));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) {
        const reader = new OrderedReader(key, 1);
        const appId = reader.text();
        this.#set(appId, decodeIndex(reader.uint32(), value));
      }
    }
    await scan.close();
  }

  list(appId: string): readonly CompositeIndex[] {
    return this.#apps.get(appId) ?? NONE;
  }

  /** The indexes on one kind: what a write to it maintains. Read it in the turn in which the commit is submitted. */
  ofKind(appId: string, kind: string): readonly CompositeIndex[] {
    const all = this.list(appId);
    return all.length === 0 ? NONE : all.filter((index) => index.definition.kind === kind);
  }

  /** Every index that waits for its backfill. */
  building(): readonly { readonly appId: string; readonly index: CompositeIndex }[] {
    return [...this.#apps].flatMap(([appId, indexes]) =>
      indexes.filter((index) => index.state === 'building').map((index) => ({ appId, index })),
    );
  }

  /**
   * Creates what is missing and builds failed ones again; leaves others in place. Throws DS_INVALID or DS_LIMIT before it
   * changes anything. Changes are made one call after the other.
   */
  ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly CompositeIndex[]> {
    const change = this.#lastChange.then(() => this.#ensure(appId, definitions));
    this.#lastChange = change.catch(() => undefined);
    return change;
  }

  /** Puts a changed index into `transaction` and makes it known when that has committed. */
  async change(appId: string, index: CompositeIndex, transaction: StoreTransaction): Promise<void> {
    transaction.put(indexDefinitionKey(appId, index.id), encodeIndex(index));
    await transaction.commit();
    this.#set(appId, index);
  }

  async #ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly CompositeIndex[]> {
    for (const definition of definitions) checkDefinition(definition);
    const known = this.list(appId);
    const find = (definition: IndexDefinition): CompositeIndex | undefined =>
      known.find((index) => isSameDefinition(index.definition, definition));
    const missing = definitions.filter((one, at) => !find(one) && definitions.findIndex((other) => isSameDefinition(one, other)) === at);
    if (known.length + missing.length > LIMITS.compositeIndexesMax) {
      throw new PlatformError('DS_LIMIT', `an app has at most ${LIMITS.compositeIndexesMax} composite indexes`);
    }
    const failed = known.filter((index) => index.state === 'error' && definitions.some((one) => isSameDefinition(one, index.definition)));
    const lastId = Math.max(0, ...known.map((index) => index.id));
    const changed: readonly CompositeIndex[] = [
      ...failed.map(({ id, definition }) => newIndex(id, definition)),
      ...missing.map((definition, at) => newIndex(lastId + 1 + at, definition)),
    ];
    if (changed.length === 0) return known;
    const transaction = this.#store.begin();
    for (const index of changed) transaction.put(indexDefinitionKey(appId, index.id), encodeIndex(index));
    await transaction.commit();
    for (const index of changed) this.#set(appId, index);
    return this.list(appId);
  }

  #set(appId: string, index: CompositeIndex): void {
    const others = this.list(appId).filter(({ id }) => id !== index.id);
    this.#apps.set(appId, [...others, index]);
  }
}

function newIndex(id: number, definition: IndexDefinition): CompositeIndex {
  return { id, definition, state: 'building', since: 0n, done: 0, estimate: 0 };
}
