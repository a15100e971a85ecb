// What a commit writes: entity rows, and the difference between the index rows before and after. All or nothing.
import { type MutationResult, type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { encodeEntityRow } from '../codec/entity-row.ts';
import { entityRowKey, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type History } from '../history/history.ts';
import { checkEntries } from '../index/entry-limits.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type IndexRow, indexRows } from '../index/index-rows.ts';
import { indexedValues } from '../index/indexed-values.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type CommitsUnderWay } from '../tablet/commits-under-way.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { type IdAllocator } from './id-allocator.ts';
import { KeyLatches } from './key-latches.ts';
import { type CheckedMutation, checkMutation, completeKey, messageToStore } from './mutation.ts';
import { Target } from './target.ts';
import { type VersionClock } from './version-clock.ts';

export interface CommitOutcome {
  readonly results: readonly MutationResult[];
  readonly commitTimeMicros: bigint;
}

interface Step {
  readonly mutation: CheckedMutation;
  readonly target: Target;
}

interface Work {
  /** In the order of the mutations. */
  readonly steps: readonly Step[];
  /** Each touched entity once, by a name for it. */
  readonly targets: ReadonlyMap<string, Target>;
}

/** Tries of a commit outside any transaction before it gives up: each loss means that somebody else committed. */
const ATTEMPTS_MAX = 20;
const NO_ROWS: readonly IndexRow[] = [];
const NO_VALUE = Buffer.alloc(0);

export class Committer {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #onWrote: (appId: string, changes: readonly RowChange[]) => void;
  readonly #versions: VersionClock;
  readonly #ids: IdAllocator;
  readonly #history: History;
  readonly #underWay: CommitsUnderWay;
  readonly #latches = new KeyLatches();

  /** `onWrote` is told what each commit has changed, once it is durable; until then it is one of those `underWay`. */
  constructor(
    store: Store,
    catalog: IndexCatalog,
    onWrote: (appId: string, changes: readonly RowChange[]) => void,
    versions: VersionClock,
    ids: IdAllocator,
    history: History,
    underWay: CommitsUnderWay,
  ) {
    this.#store = store;
    this.#catalog = catalog;
    this.#onWrote = onWrote;
    this.#versions = versions;
    this.#ids = ids;
    this.#history = history;
    this.#underWay = underWay;
  }

  /**
   * Checks, completes keys and commits outside any transaction. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN,
   * DS_ALREADY_EXISTS, DS_NOT_FOUND; DS_TX_CONFLICT for a base version that is not the stored one, or when others won
   * every try.
   */
  async commit(appId: string, mutations: readonly WireMutation[]): Promise<CommitOutcome> {
    const work = await this.#prepare(appId, mutations);
    return this.#latches.hold([...work.targets.keys()], () => this.#retry(appId, work));
  }

  /** As `commit`, within a transaction that has read before, which it ends. One try: what was read decides. */
  async commitWithin(transaction: StoreTransaction, appId: string, mutations: readonly WireMutation[]): Promise<CommitOutcome> {
    try {
      return await this.#apply(transaction, appId, await this.#prepare(appId, mutations));
    } finally {
      await transaction.close();
    }
  }

  async #retry(appId: string, work: Work): Promise<CommitOutcome> {
    for (let attempt = 1; ; attempt++) {
      const transaction = this.#store.begin({ reads: 'latest' });
      try {
        return await this.#apply(transaction, appId, work);
      } catch (error) {
        await transaction.close();
        const isLost = error instanceof PlatformError && error.code === 'DS_TX_CONFLICT' && error.details.baseVersion === undefined;
        if (!isLost || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #prepare(appId: string, mutations: readonly WireMutation[]): Promise<Work> {
    const steps: Step[] = [];
    const targets = new Map<string, Target>();
    for (const mutation of checkAll(appId, mutations)) {
      const fresh = new Target(mutation.isKeyComplete ? mutation.key : await this.#completed(appId, mutation.key));
      const name = fresh.rowKey.toString('latin1');
      const target = targets.get(name) ?? fresh;
      targets.set(name, target);
      steps.push({ mutation, target });
    }
    return { steps, targets };
  }

  /** An app may have chosen an id that the allocator comes to later, so a new id is looked up first. */
  async #completed(appId: string, key: Key): Promise<Key> {
    for (;;) {
      const [id] = await this.#ids.allocate(appId, key.databaseId, 1);
      const complete = id === undefined ? key : completeKey(key, id);
      const rowKey = entityRowKey(partitionOf(appId, key.databaseId, key.namespace), pathBytes(complete.path));
      if ((await this.#store.get(rowKey)) === undefined) return complete;
    }
  }

  async #apply(transaction: StoreTransaction, appId: string, { steps, targets }: Work): Promise<CommitOutcome> {
    const [only] = targets.size === 1 ? targets.values() : [];
    if (only) only.load(await transaction.get(only.rowKey));
    else await load(transaction, [...targets.values()]);
    for (const { mutation, target } of steps) target.apply(mutation);
    for (let opened = this.#closedGate(appId, targets); opened; opened = this.#closedGate(appId, targets)) await opened;
    // From here to the submission in one turn: versions and the catalog must not change in between.
    const version = this.#versions.next();
    const changes: RowChange[] = [];
    for (const target of targets.values()) this.#write(transaction, appId, target, version, changes);
    this.#history.record(transaction, appId, version, changes);
    const end = this.#underWay.begin();
    try {
      await this.#versions.follow(version, transaction.commit());
      this.#onWrote(appId, changes);
    } finally {
      end();
    }
    const results = steps.map(({ mutation, target }) => (mutation.isKeyComplete ? { version } : { key: encodeKey(target.key), version }));
    return { results, commitTimeMicros: version };
  }

  /** What to wait for while a backfill indexes one of the entities. */
  #closedGate(appId: string, targets: Work['targets']): Promise<void> | undefined {
    const { gate } = this.#catalog;
    for (const target of targets.values()) {
      const opened = gate.closedFor(appId, target.kind, () => target.kindRow);
      if (opened) return opened;
    }
    return undefined;
  }

  #write(transaction: StoreTransaction, appId: string, target: Target, version: bigint, changes: RowChange[]): void {
    const { partition, kind, path, rowKey, stored, content, exists } = target;
    if (!content && exists) return;
    const composites = this.#catalog.maintained(appId, kind, () => target.kindRow);
    if (content) checkEntries(partition, path, content.values, this.#catalog.kept(appId, kind));
    const before = stored
      ? indexRows(partition, kind, path, indexedValues(decodeEntity(stored.message).properties, appId), composites)
      : NO_ROWS;
    if (content) {
      const row = encodeEntityRow({
        version,
        createdMicros: stored && !target.isDeleted ? stored.createdMicros : version,
        updatedMicros: version,
        message: messageToStore(content.message, target.key),
      });
      transaction.put(rowKey, row);
      changes.push(change(rowKey, target.storedRow, row.length, target.storedRow));
      writeDifference(transaction, before, indexRows(partition, kind, path, content.values, composites), changes);
    } else if (stored) {
      transaction.delete(rowKey);
      changes.push(change(rowKey, target.storedRow, undefined, target.storedRow));
      writeDifference(transaction, before, NO_ROWS, changes);
    }
  }
}

/** All are checked before anything is read. */
function checkAll(appId: string, mutations: readonly WireMutation[]): readonly CheckedMutation[] {
  if (mutations.length > LIMITS.commitMutationsMax) {
    throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.commitMutationsMax} mutations, this one ${mutations.length}`);
  }
  let bytes = 0;
  return mutations.map((mutation) => {
    bytes += mutation.op === 'delete' ? mutation.key.length : mutation.entity.length;
    if (bytes > LIMITS.transactionBytesMax) throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.transactionBytesMax} bytes`);
    return checkMutation(mutation, appId);
  });
}

async function load(transaction: StoreTransaction, targets: readonly Target[]): Promise<void> {
  const rows = await transaction.getMany(targets.map(({ rowKey }) => rowKey));
  targets.forEach((target, at) => {
    target.load(rows[at]);
  });
}

/** Deletes what is no longer there, puts what is new or has another value. */
function writeDifference(
  transaction: StoreTransaction,
  before: readonly IndexRow[],
  after: readonly IndexRow[],
  changes: RowChange[],
): void {
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
    changes.push(change(key, known?.value, value.length));
  }
  for (const { key, value } of old.values()) {
    transaction.delete(key);
    changes.push(change(key, value, undefined, NO_VALUE));
  }
}

/** Of a row's value before and its size after; undefined where there was or is no row. */
function change(key: Buffer, old: Buffer | undefined, newBytes: number | undefined, superseded?: Buffer): RowChange {
  const rows = (newBytes === undefined ? 0 : 1) - (old === undefined ? 0 : 1);
  const bytes = rows * key.length + (newBytes ?? 0) - (old?.length ?? 0);
  return { key, rows, bytes, valueBytes: newBytes, ...(superseded ? { superseded } : {}) };
}
