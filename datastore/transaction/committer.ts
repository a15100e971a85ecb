// What a commit writes: entity rows, and the difference between the index rows before and after. All or nothing.
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type MutationResult, type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntityRow, encodeEntityRow, type EntityRow } from '../codec/entity-row.ts';
import { entityRowKey, type Partition, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type IndexRow, indexRows } from '../index/index-rows.ts';
import { type IndexedValues, indexedValues } from '../index/indexed-values.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type RowChange, type TabletMap } from '../tablet/tablet-map.ts';
import { type IdAllocator } from './id-allocator.ts';
import { KeyLatches } from './key-latches.ts';
import { type CheckedMutation, checkMutation, completed, messageToStore, type ReadyMutation } from './mutation.ts';
import { type VersionClock } from './version-clock.ts';

export interface CommitOutcome {
  readonly results: readonly MutationResult[];
  readonly commitTimeMicros: bigint;
}

/** A mutated entity while a commit is worked out. */
interface Target {
  readonly partition: Partition;
  readonly path: Buffer;
  readonly rowKey: Buffer;
  readonly kind: string;
  /** As stored before the commit. */
  stored: { readonly row: EntityRow; readonly bytes: number } | undefined;
  content: CheckedMutation['content'];
  exists: boolean;
  key: Key;
}

/** Tries of a commit outside any transaction before it gives up: each loss means that somebody else committed. */
const ATTEMPTS_MAX = 20;

export class Committer {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #tablets: () => TabletMap;
  readonly #versions: VersionClock;
  readonly #ids: IdAllocator;
  readonly #latches = new KeyLatches();

  constructor(store: Store, catalog: IndexCatalog, tablets: () => TabletMap, versions: VersionClock, ids: IdAllocator) {
    this.#store = store;
    this.#catalog = catalog;
    this.#tablets = tablets;
    this.#versions = versions;
    this.#ids = ids;
  }

  /**
   * Checks, completes keys and commits outside any transaction. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN,
   * DS_ALREADY_EXISTS, DS_NOT_FOUND; DS_TX_CONFLICT for a base version that is not the stored one, or when others won
   * every try.
   */
  async commit(appId: string, mutations: readonly WireMutation[]): Promise<CommitOutcome> {
    const ready = await this.#ready(appId, mutations);
    const targets = targetsOf(ready);
    const names = [...targets.keys()];
    return this.#latches.hold(names, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#apply(this.#store.begin(), appId, ready, targetsOf(ready));
        } catch (error) {
          const mayRetry = error instanceof PlatformError && error.code === 'DS_TX_CONFLICT' && error.details.baseVersion === undefined;
          if (!mayRetry || attempt === ATTEMPTS_MAX) throw error;
        }
      }
    });
  }

  /** As `commit`, within a transaction that has read before. One try: what was read decides. */
  async commitWithin(transaction: StoreTransaction, appId: string, mutations: readonly WireMutation[]): Promise<CommitOutcome> {
    try {
      const ready = await this.#ready(appId, mutations);
      return await this.#apply(transaction, appId, ready, targetsOf(ready));
    } finally {
      await transaction.close();
    }
  }

  async #ready(appId: string, mutations: readonly WireMutation[]): Promise<readonly ReadyMutation[]> {
    if (mutations.length > LIMITS.commitMutationsMax) {
      throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.commitMutationsMax} mutations, this one ${mutations.length}`);
    }
    let bytes = 0;
    const checked = mutations.map((mutation) => {
      bytes += mutation.op === 'delete' ? mutation.key.length : mutation.entity.length;
      if (bytes > LIMITS.transactionBytesMax) {
        throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.transactionBytesMax} bytes`);
      }
      return checkMutation(mutation, appId);
    });
    if (checked.every((mutation) => mutation.isKeyComplete)) return checked.map((mutation) => completed(mutation, undefined));
    const ready: ReadyMutation[] = [];
    for (const mutation of checked) ready.push(await this.#complete(appId, mutation));
    return ready;
  }

  /** An app may have chosen an id that the allocator comes to later, so a new id is looked up first. */
  async #complete(appId: string, mutation: CheckedMutation): Promise<ReadyMutation> {
    if (mutation.isKeyComplete) return completed(mutation, undefined);
    for (;;) {
      const [id] = await this.#ids.allocate(appId, mutation.key.databaseId, 1);
      const ready = completed(mutation, id);
      const { databaseId, namespace, path } = ready.key;
      const taken = await this.#store.get(entityRowKey(partitionOf(appId, databaseId, namespace), pathBytes(path)));
      if (taken === undefined) return ready;
    }
  }

  async #apply(
    transaction: StoreTransaction,
    appId: string,
    mutations: readonly ReadyMutation[],
    targets: ReadonlyMap<string, Target>,
  ): Promise<CommitOutcome> {
    try {
      const all = [...targets.values()];
      const stored = await transaction.getMany(all.map((target) => target.rowKey));
      all.forEach((target, at) => {
        const bytes = stored[at];
        target.stored = bytes ? { row: decodeEntityRow(bytes), bytes: bytes.length } : undefined;
        target.exists = bytes !== undefined;
      });
      for (const mutation of mutations) applyMutation(mutation, targetFor(targets, mutation.key));
      // From here to the submission in one turn: versions and the catalog must not change in between.
      const version = this.#versions.next();
      const changes: RowChange[] = [];
      for (const target of all) this.#writeTarget(transaction, appId, target, version, changes);
      await transaction.commit();
      this.#tablets().wrote(changes);
      const results = mutations.map((mutation) => (mutation.wasIncomplete ? { key: encodeKey(mutation.key), version } : { version }));
      return { results, commitTimeMicros: version };
    } finally {
      await transaction.close();
    }
  }

  #writeTarget(transaction: StoreTransaction, appId: string, target: Target, version: bigint, changes: RowChange[]): void {
    const { partition, kind, path, rowKey, stored, content } = target;
    const composites = this.#catalog.ofKind(appId, kind);
    const rowsOf = (values: IndexedValues): readonly IndexRow[] => indexRows(partition, kind, path, values, composites);
    const before = stored ? rowsOf(indexedValues(decodeEntity(stored.row.message).properties, appId)) : [];
    const after = content ? rowsOf(content.values) : target.exists ? before : [];
    if (content) {
      const row = encodeEntityRow({
        version,
        createdMicros: stored && target.exists ? stored.row.createdMicros : version,
        updatedMicros: version,
        message: messageToStore(content.message, target.key),
      });
      transaction.put(rowKey, row);
      changes.push(change(rowKey, stored?.bytes, row.length));
    } else if (stored && !target.exists) {
      transaction.delete(rowKey);
      changes.push(change(rowKey, stored.bytes, undefined));
    }
    writeDifference(transaction, before, after, changes);
  }
}

function targetsOf(mutations: readonly ReadyMutation[]): ReadonlyMap<string, Target> {
  const targets = new Map<string, Target>();
  for (const { key } of mutations) {
    const partition = partitionOf(key.projectId, key.databaseId, key.namespace);
    const path = pathBytes(key.path);
    const rowKey = entityRowKey(partition, path);
    const name = rowKey.toString('latin1');
    if (targets.has(name)) continue;
    const kind = key.path.at(-1)?.kind ?? '';
    targets.set(name, { partition, path, rowKey, kind, stored: undefined, content: undefined, exists: false, key });
  }
  return targets;
}

function targetFor(targets: ReadonlyMap<string, Target>, key: Key): Target {
  const partition = partitionOf(key.projectId, key.databaseId, key.namespace);
  const target = targets.get(entityRowKey(partition, pathBytes(key.path)).toString('latin1'));
  if (!target) throw new Error('Broken invariant: every mutation has a target');
  return target;
}

function applyMutation(mutation: ReadyMutation, target: Target): void {
  checkBaseVersion(mutation, target);
  if (mutation.op === 'insert' && target.exists) throw new PlatformError('DS_ALREADY_EXISTS', describeKey(mutation.key));
  if (mutation.op === 'update' && !target.exists) throw new PlatformError('DS_NOT_FOUND', describeKey(mutation.key));
  target.exists = mutation.op !== 'delete';
  target.content = mutation.content;
}

function checkBaseVersion({ baseVersion, key }: ReadyMutation, { stored }: Target): void {
  if (baseVersion === undefined) return;
  const storedVersion = stored?.row.version ?? 0n;
  if (storedVersion === baseVersion) return;
  throw new PlatformError('DS_TX_CONFLICT', `${describeKey(key)} has version ${storedVersion}, not the base version ${baseVersion}`, {
    details: { baseVersion: String(baseVersion), storedVersion: String(storedVersion) },
  });
}

/** Deletes what is no longer there, puts what is new or has another value. */
function writeDifference(
  transaction: StoreTransaction,
  before: readonly IndexRow[],
  after: readonly IndexRow[],
  changes: RowChange[],
): void {
  if (before === after) return;
  if (before.length === 0) {
    for (const { key, value } of after) {
      transaction.put(key, value);
      changes.push(change(key, undefined, value.length));
    }
    return;
  }
  const old = new Map(before.map((row) => [row.key.toString('latin1'), row]));
  for (const { key, value } of after) {
    const name = key.toString('latin1');
    const known = old.get(name);
    old.delete(name);
    if (known?.value.equals(value)) continue;
    transaction.put(key, value);
    changes.push(change(key, known?.value.length, value.length));
  }
  for (const { key, value } of old.values()) {
    transaction.delete(key);
    changes.push(change(key, value.length, undefined));
  }
}

function change(key: Buffer, oldBytes: number | undefined, newBytes: number | undefined): RowChange {
  const rows = (newBytes === undefined ? 0 : 1) - (oldBytes === undefined ? 0 : 1);
  return { key, rows, bytes: rows * key.length + (newBytes ?? 0) - (oldBytes ?? 0) };
}
