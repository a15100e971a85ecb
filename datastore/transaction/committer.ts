// What a commit writes: entity rows, and the difference between the index rows before and after. All or nothing.
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { encodeEntityRow } from '../codec/entity-row.ts';
import { answeredKey, type DatastoreScope } from '../codec/own-key.ts';
import { type History } from '../history/history.ts';
import { checkEntries } from '../index/entry-limits.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type IndexRow, indexRows } from '../index/index-rows.ts';
import { indexedValues } from '../index/indexed-values.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type CommitsUnderWay } from '../tablet/commits-under-way.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { type CheckedMutation, checkMutation } from './checked-mutation.ts';
import { isLastingConflict } from './conflict.ts';
import { HeldRows, type RowWriter } from './held-rows.ts';
import { type IdAllocator } from './id-allocator.ts';
import { type LockOwner, type Patience } from './lock.ts';
import { GaveWay, type LockTable } from './lock-table.ts';
import { type CommitOutcome, type CommitResult, type Mutation } from './mutation.ts';
import { checkGroup } from './mutation-group.ts';
import { type ReadWriteTransaction } from './read-write-transaction.ts';
import { type ResetGate } from './reset-gate.ts';
import { rowChange, writeDifference } from './row-difference.ts';
import { type Applied, GONE, Target } from './target.ts';
import { type VersionClock } from './version-clock.ts';

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

export interface CommitRequest {
  /** Ends the wait for locks. */
  readonly patience?: Patience;
  /** False: at most one mutation of an entity. All or none in any case. */
  readonly isAtomic?: boolean;
}

/** Who waits for the locks of others, and how long. */
interface Waiting {
  readonly owner: LockOwner;
  readonly patience: Patience;
}

/** Tries of a commit outside any transaction before it gives up: each loss means that somebody else committed. */
const ATTEMPTS_MAX = 20;
const NO_ROWS: readonly IndexRow[] = [];

export class Committer {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #onWrote: (appId: string, changes: readonly RowChange[]) => void;
  readonly #versions: VersionClock;
  readonly #ids: IdAllocator;
  readonly #locks: LockTable;
  readonly #history: History;
  readonly #underWay: CommitsUnderWay;
  readonly #gate: ResetGate;

  /** `onWrote` is told what each commit has changed, once it is durable; until then it is one of those `underWay`. */
  constructor(
    store: Store,
    catalog: IndexCatalog,
    onWrote: (appId: string, changes: readonly RowChange[]) => void,
    versions: VersionClock,
    ids: IdAllocator,
    locks: LockTable,
    history: History,
    underWay: CommitsUnderWay,
    gate: ResetGate,
  ) {
    this.#store = store;
    this.#catalog = catalog;
    this.#onWrote = onWrote;
    this.#versions = versions;
    this.#ids = ids;
    this.#locks = locks;
    this.#history = history;
    this.#underWay = underWay;
    this.#gate = gate;
  }

  /**
   * Checks, completes keys and commits outside any transaction; waits while a transaction has locked what it writes. Throws
   * DS_INVALID, DS_LIMIT, DS_FORBIDDEN, DS_ALREADY_EXISTS, DS_NOT_FOUND; DS_TX_CONFLICT for a base version or update time that is
   * not the stored one, unless its mutation is then to be skipped, when locks were not to be had in time, or when others won every
   * try; and what LockTable.lock throws.
   */
  async commit(
    scope: DatastoreScope,
    mutations: readonly Mutation[],
    { patience = {}, isAtomic }: CommitRequest = {},
  ): Promise<CommitOutcome> {
    const work = await this.#prepare(scope, mutations, isAtomic);
    for (;;) {
      const owner = this.#locks.owner({ givesWay: true });
      try {
        await this.#lock(owner, work, patience);
        return await this.#retry(scope, work, { owner, patience });
      } catch (error) {
        // Each time it gives way it has waited, and its patience has an end.
        if (!(error instanceof GaveWay)) throw error;
      } finally {
        this.#locks.release(owner);
      }
    }
  }

  /** As `commit`, within a transaction that may have read before, for the caller to close. One try: what was read decides. */
  async commitWithin(
    transaction: ReadWriteTransaction,
    scope: DatastoreScope,
    mutations: readonly Mutation[],
    { patience = {} }: CommitRequest = {},
  ): Promise<CommitOutcome> {
    const { owner } = transaction;
    const work = await this.#prepare(scope, mutations);
    await this.#lock(owner, work, patience);
    return this.#apply(transaction.toCommit(), scope, work, { owner, patience });
  }

  /** In one order for all, so that commits do not wait for each other in circles. */
  async #lock(owner: LockOwner, { targets }: Work, patience: Patience): Promise<void> {
    const names = [...targets.keys()];
    await this.#locks.lock(owner, names.length > 1 ? names.sort() : names, 'exclusive', patience);
  }

  async #retry(scope: DatastoreScope, work: Work, waiting: Waiting): Promise<CommitOutcome> {
    for (let attempt = 1; ; attempt++) {
      const transaction = this.#store.begin({ reads: 'latest' });
      try {
        return await this.#apply(transaction, scope, work, waiting);
      } catch (error) {
        await transaction.close();
        if (!isLost(error) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #prepare(scope: DatastoreScope, mutations: readonly Mutation[], isAtomic = true): Promise<Work> {
    const steps: Step[] = [];
    const targets = new Map<string, Target>();
    for (const mutation of checkAll(scope, mutations)) {
      const fresh = new Target(mutation.isKeyComplete ? mutation.key : await this.#ids.complete(mutation.key));
      const name = fresh.rowKey.toString('latin1');
      const target = targets.get(name) ?? fresh;
      targets.set(name, target);
      target.mutations.push(mutation);
      steps.push({ mutation, target });
    }
    for (const { mutations: group } of targets.values()) checkGroup(group, isAtomic);
    return { steps, targets };
  }

  async #apply(transaction: StoreTransaction, scope: DatastoreScope, { steps, targets }: Work, waiting: Waiting): Promise<CommitOutcome> {
    const { appId } = scope;
    for (let closed = this.#gate.closedFor(appId); closed; closed = this.#gate.closedFor(appId)) await closed;
    const loaded = this.#gate.readBegins();
    try {
      const [only] = targets.size === 1 ? targets.values() : [];
      if (only) only.load(await transaction.get(only.rowKey));
      else await load(transaction, [...targets.values()]);
    } finally {
      loaded();
    }
    const requestTimeMicros = this.#versions.nowMicros;
    const applied = steps.map(({ mutation, target }) => target.apply(mutation, requestTimeMicros));
    for (;;) {
      for (let opened = this.#closedGate(appId, targets); opened; opened = this.#closedGate(appId, targets)) await opened;
      // A reset has ended the transaction meanwhile.
      if (waiting.owner.hasEnded) throw new PlatformError('DS_TX_INVALID');
      // From here to the submission in one turn: versions and the catalog must not change in between.
      const version = this.#versions.next();
      const changes: RowChange[] = [];
      const rows = new HeldRows();
      let indexUpdates = 0;
      for (const target of targets.values()) indexUpdates += this.#write(rows, appId, target, version, changes);
      if (rows.isEmpty) touch(rows, targets);
      const wait = this.#locks.waitForRows(waiting.owner, changes, waiting.patience);
      if (wait) {
        await wait;
        continue;
      }
      rows.writeTo(transaction);
      this.#history.record(transaction, appId, version, changes);
      await this.#submit(transaction, appId, version, changes);
      const results = steps.map((step, at) => resultOf(step, applied[at] ?? GONE, version, scope));
      return { results, indexUpdates, commitTimeMicros: version };
    }
  }

  async #submit(transaction: StoreTransaction, appId: string, version: bigint, changes: readonly RowChange[]): Promise<void> {
    const end = this.#underWay.begin();
    try {
      await this.#versions.follow({ appId, version, changes }, (onWriting) => transaction.commit(onWriting));
      this.#onWrote(appId, changes);
    } finally {
      end();
    }
  }

  /** What to wait for while a backfill indexes one of the entities, or a reset wipes the app. */
  #closedGate(appId: string, targets: Work['targets']): Promise<void> | undefined {
    const wiped = this.#gate.closedFor(appId);
    if (wiped) return wiped;
    const { gate } = this.#catalog;
    for (const target of targets.values()) {
      const opened = gate.closedFor(appId, target.kind, () => target.kindRow);
      if (opened) return opened;
    }
    return undefined;
  }

  /** Returns how many index rows it writes. */
  #write(rows: RowWriter, appId: string, target: Target, version: bigint, changes: RowChange[]): number {
    const { partition, kind, path, rowKey, stored, storedRow, content, exists } = target;
    if (!content && exists) return 0;
    if (storedRow && target.isSame) {
      // Nothing changes, but whoever has read the entity still loses to this commit, and this one to who writes it meanwhile.
      rows.put(rowKey, storedRow);
      changes.push(rowChange(rowKey, storedRow, storedRow.length));
      return 0;
    }
    const composites = this.#catalog.maintained(appId, kind, () => target.kindRow);
    if (content) checkEntries(partition, path, content.values, this.#catalog.kept(appId, kind));
    const before = stored
      ? indexRows(partition, kind, path, indexedValues(decodeEntity(stored.message).properties, appId), composites)
      : NO_ROWS;
    const after = target.after(version);
    if (content && after) {
      const row = encodeEntityRow({ ...after, message: target.pieces });
      rows.put(rowKey, row);
      changes.push(rowChange(rowKey, storedRow, row.length, storedRow));
      return writeDifference(rows, before, indexRows(partition, kind, path, content.values, composites), changes);
    }
    rows.delete(rowKey);
    if (!stored) return 0;
    changes.push(rowChange(rowKey, storedRow, undefined, storedRow));
    return writeDifference(rows, before, NO_ROWS, changes);
  }
}

/** Writes a row as it is: without any write a commit would not look whether what it read is still so. */
function touch(rows: RowWriter, targets: Work['targets']): void {
  const [first] = targets.values();
  if (first?.storedRow) rows.put(first.rowKey, first.storedRow);
  else if (first) rows.delete(first.rowKey);
}

function resultOf({ mutation, target }: Step, applied: Applied, version: bigint, scope: DatastoreScope): CommitResult {
  const after = applied.exists ? target.after(version) : undefined;
  const result = after ? { version: after.version, createdMicros: after.createdMicros, updatedMicros: after.updatedMicros } : { version };
  const { isConflict, transformResults } = applied;
  if (mutation.isKeyComplete && !isConflict && !transformResults) return result;
  return {
    ...result,
    ...(mutation.isKeyComplete ? {} : { key: encodeKey(answeredKey(target.key, scope)) }),
    ...(isConflict ? { isConflict } : {}),
    ...(transformResults ? { transformResults } : {}),
  };
}

/** Whether somebody else committed first, so that another try may succeed. */
function isLost(error: unknown): boolean {
  if (!(error instanceof PlatformError) || error.code !== 'DS_TX_CONFLICT') return false;
  return !isLastingConflict(error) && error.details.lock === undefined;
}

/** All are checked before anything is read. */
function checkAll(scope: DatastoreScope, mutations: readonly Mutation[]): readonly CheckedMutation[] {
  if (mutations.length > LIMITS.commitMutationsMax) {
    throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.commitMutationsMax} mutations, this one ${mutations.length}`);
  }
  let bytes = 0;
  return mutations.map((mutation) => {
    const checked = checkMutation(mutation, scope);
    bytes += checked.bytes;
    if (bytes > LIMITS.transactionBytesMax) throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.transactionBytesMax} bytes`);
    return checked;
  });
}

async function load(transaction: StoreTransaction, targets: readonly Target[]): Promise<void> {
  const rows = await transaction.getMany(targets.map(({ rowKey }) => rowKey));
  targets.forEach((target, at) => {
    target.load(rows[at]);
  });
}
