// The datastore's facade: App Engine's datastore over one ordered store. It joins the parts and owns their start and close;
// what they do is theirs.
// Must not know any wire beyond the data model, nor who is calling: `scope` says whose data a call is about.
// Read next: FORMAT.md for what is on disk, transaction/committer.ts for writes, reads.ts and query/normal-query.ts for reads.
import { type AllocateIdsResponse } from '../sdk/contract/datastore-wire.ts';
import { decodeKey, encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type AggregationQuery, type Query } from '../sdk/contract/query.ts';
import { type Clock, type Random, type Timers } from '../sdk/support/clock.ts';
import { CloseStack } from '../sdk/support/close-stack.ts';
import { type Log } from '../sdk/support/log.ts';
import { Turns } from '../sdk/support/turns.ts';
import { bindGql, type BoundStatement, type GqlArguments } from '../gql/bind.ts';
import { GqlCache } from '../gql/statement-cache.ts';
import { checkKey } from './codec/key-check.ts';
import { answeredKey, type DatastoreScope, ownDatabase, ownKey } from './codec/own-key.ts';
import { HistoryCollector } from './history/history-collector.ts';
import { History } from './history/history.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { IndexCatalog } from './index/index-catalog.ts';
import { IndexWork } from './index/index-work.ts';
import { Checker } from './integrity/checker.ts';
import { Exporter } from './integrity/exporter.ts';
import { FileChecker } from './integrity/file-checker.ts';
import { Repairer } from './integrity/repairer.ts';
import { AutoIndexes } from './query/auto-indexes.ts';
import { type AggregationAnswer, type LookupAnswer, type QueryAnswer } from './read-answer.ts';
import { type PartitionName, patienceOf, type QueryOptions, type ReadOptions, Reads } from './reads.ts';
import { SettingsCatalog } from './settings/settings-catalog.ts';
import { type Store } from './storage/port.ts';
import { isOfApp } from './tablet/app-bytes.ts';
import { type RowChange } from './tablet/tablet-map.ts';
import { TabletServer, type TabletServerOptions } from './tablet/tablet-server.ts';
import { AppEraser } from './transaction/app-eraser.ts';
import { Committer } from './transaction/committer.ts';
import { HistoricReads } from './transaction/historic-reads.ts';
import { IdAllocator } from './transaction/id-allocator.ts';
import { LockTable } from './transaction/lock-table.ts';
import { type CommitOutcome, type Mutation } from './transaction/mutation.ts';
import { PresentReads } from './transaction/present-reads.ts';
import { ResetGate } from './transaction/reset-gate.ts';
import { type ResetOptions, Resetter } from './transaction/resetter.ts';
import { TransactionRegistry } from './transaction/transaction-registry.ts';
import { TtlPolicies } from './transaction/ttl-policies.ts';
import { TtlSweeper } from './transaction/ttl-sweeper.ts';
import { VersionClock } from './transaction/version-clock.ts';

export interface DatastoreOptions {
  readonly tablets?: TabletServerOptions;
  /** Apps whose earlier states nobody will read; default all can be. */
  readonly keepsHistory?: (appId: string) => boolean;
  /** Called after each commit with the rows that it put and deleted, index rows included, history not: what a write costs. */
  readonly onWrote?: (appId: string, rows: number) => void;
  /**
   * Under development: asked before the indexes that a query needs are made, which then waits for them. False: it gets
   * DS_NEED_INDEX.
   */
  readonly recordIndexes?: (appId: string, definitions: readonly IndexDefinition[]) => Promise<boolean>;
  /** Rows that one transaction of a reset deletes; for tests. */
  readonly eraserRowsMax?: number;
  /** Where the store's files are, if it has any: a check looks at their checksums. */
  readonly storeDirectory?: string;
  /** Called once when the store takes no more writes: the process is best restarted, which reopens it. */
  readonly onStoreFailed?: (error: PlatformError) => void;
}

export interface CommitOptions {
  readonly transaction?: Uint8Array;
  /** Ends the wait for locks. */
  readonly signal?: AbortSignal;
  /** False: mutations that do not belong together, at most one of an entity; not within a transaction. */
  readonly atomic?: boolean;
}

export type GqlAnswer =
  { readonly kind: 'query'; readonly answer: QueryAnswer } | { readonly kind: 'aggregation'; readonly answer: AggregationAnswer };

export interface GqlRequest extends GqlArguments {
  readonly text: string;
  readonly databaseId: string;
  readonly namespace: string;
  /** `cloud`: Cloud GQL alone, as the public API has it. Default also the Python dialect. */
  readonly dialect?: 'cloud';
  /** Default true. False refuses values that are written into the statement. */
  readonly allowLiterals?: boolean;
}

export type IndexView = Omit<CompositeIndex, 'progress' | 'since'>;

export class Datastore {
  /** The tablets, and what is asked of them. */
  readonly tabletServer: TabletServer;
  /** What each app has chosen for its data. */
  readonly settings: SettingsCatalog;
  /** Which entities expire. */
  readonly ttl: TtlPolicies;
  /** Whether everything on disk fits together. */
  readonly checker: Checker;
  readonly fileChecker: FileChecker;
  /** Entities page by page, all of one moment. */
  readonly exporter: Exporter;
  readonly #store: Store;
  readonly #options: DatastoreOptions;
  readonly #catalog: IndexCatalog;
  readonly #indexWork: IndexWork;
  readonly #reads: Reads;
  readonly #versions: VersionClock;
  readonly #ids: IdAllocator;
  readonly #locks: LockTable;
  readonly #transactions: TransactionRegistry;
  readonly #history: History;
  readonly #past: HistoricReads;
  readonly #collector: HistoryCollector;
  readonly #sweeper: TtlSweeper;
  readonly #committer: Committer;
  readonly #gate = new ResetGate();
  readonly #eraser: AppEraser;
  readonly #resetter: Resetter;
  readonly #gql = new GqlCache();
  readonly #cloudGql = new GqlCache({ dialect: 'cloud' });
  #close = new CloseStack();
  #hasFailed = false;
  /** Of clients, since the start: what the background looks at to give way. */
  #callsServed = 0;

  constructor(store: Store, clock: Clock, timers: Timers, random: Random, log: Log, options: DatastoreOptions = {}) {
    this.#store = store;
    this.#options = options;
    this.settings = new SettingsCatalog(store);
    this.fileChecker = new FileChecker(options.storeDirectory, clock, timers);
    this.exporter = new Exporter(
      clock,
      () => this.#versions.last,
      (appId, readTime) => this.#past.open(appId, readTime),
    );
    this.#catalog = new IndexCatalog(store);
    this.tabletServer = new TabletServer(store, clock, timers, random, log, options.tablets);
    const { underWay } = this.tabletServer;
    const counts = {
      begin: () => underWay.begin(),
      wrote: (appId: string, changes: readonly RowChange[]): void => {
        this.tabletServer.wrote(appId, changes);
      },
    };
    /** Of what writes without being a commit. */
    const turns = new Turns();
    this.checker = new Checker(store, clock, new Repairer(store, this.#onWrote, underWay, turns));
    this.#versions = new VersionClock(store, clock);
    this.#indexWork = new IndexWork(store, this.#catalog, clock, timers, log, {
      nextVersion: () => this.#versions.next(),
      counts,
      callsServed: () => this.#callsServed,
      turns,
    });
    this.#ids = new IdAllocator(store);
    this.#locks = new LockTable(clock, timers);
    this.#transactions = new TransactionRegistry(store, this.#versions, this.#locks, clock, timers, random);
    this.#history = new History(store, clock, options);
    this.#past = new HistoricReads(store, clock, this.#history, this.#catalog, this.#versions);
    this.#reads = new Reads({
      store,
      clock,
      catalog: this.#catalog,
      autoIndexes: new AutoIndexes(this.#catalog, this.#indexWork, timers, options.recordIndexes),
      transactions: this.#transactions,
      present: new PresentReads(store, this.#versions, this.#locks),
      past: this.#past,
      tabletServer: this.tabletServer,
      gate: this.#gate,
      onCall: () => this.#callsServed++,
    });
    const forgotten = (changes: readonly RowChange[]): void => this.tabletServer.wrote('', changes);
    this.#collector = new HistoryCollector(store, this.#history, underWay, forgotten, turns, clock, timers, log);
    this.#committer = new Committer(
      store,
      this.#catalog,
      this.#onWrote,
      this.#versions,
      this.#ids,
      this.#locks,
      this.#history,
      underWay,
      this.#gate,
    );
    this.ttl = new TtlPolicies(store, this.settings);
    this.#sweeper = new TtlSweeper(store, this.settings, this.#committer, clock, timers, log);
    this.#eraser = new AppEraser(store, counts, { ...(options.eraserRowsMax === undefined ? {} : { rowsMax: options.eraserRowsMax }) });
    this.#resetter = new Resetter(this.#gate, this.#eraser, turns, {
      ...{ settings: this.settings, catalog: this.#catalog, history: this.#history, versions: this.#versions },
      ...{ transactions: this.#transactions, sweeper: this.#sweeper, underWay },
    });
  }

  /** Opens the store and takes up index building where it stopped. Throws DATA_DIR_HELD or DS_CORRUPT. */
  async start(): Promise<void> {
    this.#close = new CloseStack();
    this.#hasFailed = false;
    const starting = this.#close;
    const step = async (start: () => void | Promise<void>, undo: () => void | Promise<void>): Promise<void> => {
      await start();
      starting.defer(undo);
    };
    try {
      await step(
        () => this.#store.start(),
        () => this.#store.close(),
      );
      await step(
        () => this.#versions.start(),
        () => this.#unlessFailed(() => this.#versions.close()),
      );
      await step(
        () => this.tabletServer.start(),
        () => this.#unlessFailed(() => this.tabletServer.close()),
      );
      await this.#eraser.resume();
      await this.#history.start(this.#versions.last);
      await this.settings.start();
      await this.#catalog.start();
      await step(
        () => {
          this.#indexWork.start();
        },
        () => this.#indexWork.close(),
      );
      await step(
        () => {
          this.#transactions.start();
        },
        () => this.#transactions.close(),
      );
      await step(
        () => {
          this.#collector.start();
        },
        () => this.#collector.close(),
      );
      await step(
        () => {
          this.#locks.start();
        },
        () => {
          this.#locks.close();
        },
      );
      await step(
        () => {
          this.#sweeper.start();
        },
        () => this.#sweeper.close(),
      );
    } catch (error) {
      // What failed first is what the caller should see.
      await starting.close().catch(() => undefined);
      throw error;
    }
  }

  /** Ends open transactions, finishes the commits under way and releases the store. */
  close(): Promise<void> {
    return this.#close.close();
  }

  /** As Reads.lookup. */
  lookup(scope: DatastoreScope, keys: readonly Uint8Array[], options?: ReadOptions): Promise<LookupAnswer> {
    return this.#reads.lookup(scope, keys, options);
  }

  /** As Reads.runQuery. */
  runQuery(scope: DatastoreScope, query: Query, options?: QueryOptions): Promise<QueryAnswer> {
    return this.#reads.runQuery(scope, query, options);
  }

  /** As Reads.runAggregation. */
  runAggregation(scope: DatastoreScope, query: AggregationQuery, options?: QueryOptions): Promise<AggregationAnswer> {
    return this.#reads.runAggregation(scope, query, options);
  }

  /** As Reads.listKinds. */
  listKinds(scope: DatastoreScope, partition: PartitionName): Promise<readonly string[]> {
    return this.#reads.listKinds(scope, partition);
  }

  /** As Reads.listNamespaces. */
  listNamespaces(scope: DatastoreScope, partition: Pick<PartitionName, 'databaseId'>): Promise<readonly string[]> {
    return this.#reads.listNamespaces(scope, partition);
  }

  /** A GQL statement as a bound query. Throws GQL_SYNTAX or GQL_BIND. */
  bindGql(scope: DatastoreScope, request: GqlRequest): BoundStatement {
    const { projectId = scope.appId } = scope;
    const { namespace, allowLiterals = true } = request;
    const databaseId = ownDatabase(request.databaseId, scope.databaseId);
    const statement = (request.dialect === 'cloud' ? this.#cloudGql : this.#gql).parse(request.text);
    return bindGql(statement, request, { projectId, databaseId, namespace, allowLiterals });
  }

  /** Binds a GQL statement and runs it. Throws what `bindGql`, `runQuery` and `runAggregation` throw. */
  async runGql(scope: DatastoreScope, request: GqlRequest, options: QueryOptions = {}): Promise<GqlAnswer> {
    const bound = this.bindGql(scope, request);
    if (bound.kind === 'query') return { kind: 'query', answer: await this.runQuery(scope, bound.query, options) };
    return { kind: 'aggregation', answer: await this.runAggregation(scope, bound.query, options) };
  }

  /**
   * The id of a new transaction; its reads see the state of now, or a read-only one's that at `readTime`, in microseconds.
   * Throws DS_LIMIT, DS_CLOSED, DS_INVALID, DS_TOO_OLD.
   */
  async beginTransaction(
    { appId }: DatastoreScope,
    { readOnly = false, readTime }: { readonly readOnly?: boolean; readonly readTime?: bigint } = {},
  ): Promise<Buffer> {
    for (let closed = this.#gate.closedFor(appId); closed; closed = this.#gate.closedFor(appId)) await closed;
    const indexes = (): readonly CompositeIndex[] => this.#catalog.list(appId);
    if (readTime === undefined) {
      return this.#transactions.begin(appId, indexes, { readOnly, concurrency: this.settings.of(appId).concurrency });
    }
    if (!readOnly) throw new PlatformError('DS_INVALID', 'a read time is for read-only transactions');
    const snapshot = await this.#past.open(appId, readTime);
    try {
      return await this.#transactions.begin(appId, indexes, { readOnly, past: { snapshot, readTime } });
    } catch (error) {
      await snapshot.close();
      throw error;
    }
  }

  /**
   * Applies all mutations in order, or none; resolves when they are durable. Waits while others have locked what it writes.
   * Throws DS_TX_CONFLICT when that takes too long, when two would wait for each other, or when what the transaction read has
   * changed, DS_TX_INVALID, DS_ALREADY_EXISTS, DS_NOT_FOUND, DS_INVALID, DS_LIMIT, DS_FORBIDDEN. A transaction is
   * over afterwards in any case.
   */
  async commit(scope: DatastoreScope, mutations: readonly Mutation[], options: CommitOptions = {}): Promise<CommitOutcome> {
    this.#callsServed++;
    try {
      const { transaction, atomic: isAtomic = true } = options;
      const request = { patience: patienceOf(options), isAtomic };
      if (!transaction) return await this.#committer.commit(scope, mutations, request);
      if (!isAtomic) throw new PlatformError('DS_INVALID', 'Non-transactional commit cannot specify a transaction.');
      return await this.#transactions.commit(scope.appId, transaction, async (taken) => {
        if (taken.kind === 'read-write') return this.#committer.commitWithin(taken.transaction, scope, mutations, request);
        if (mutations.length > 0) throw new PlatformError('DS_INVALID', 'Cannot modify entities in a read-only transaction.');
        return { results: [], indexUpdates: 0, commitTimeMicros: this.#versions.last };
      });
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** Throws DS_TX_INVALID when there is no such open transaction, nor one whose commit waits for locks: that fails then. */
  async rollback({ appId }: DatastoreScope, transaction: Uint8Array): Promise<void> {
    await this.#transactions.rollback(appId, transaction);
  }

  /**
   * Wipes every app but those that `keeps` names: entities, history, indexes, settings, and transactions that are open. They are then
   * as apps that never were, save that no id and no version is given again. Calls about them that come meanwhile wait for it;
   * transactions fail with DS_TX_INVALID. Resolves when that is durable; a crash before leaves everything or nothing. Throws
   * what a commit throws when the store fails.
   */
  async reset(keeps: (appId: string) => boolean, options?: ResetOptions): Promise<void> {
    try {
      await this.#resetter.reset(keeps, options);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** The given incomplete Key messages with ids that no other call gets. */
  async allocateIds(scope: DatastoreScope, keys: readonly Uint8Array[]): Promise<AllocateIdsResponse> {
    if (keys.length > LIMITS.allocateIdsMax) {
      throw new PlatformError('DS_LIMIT', `a call allocates at most ${LIMITS.allocateIdsMax} ids, this one ${keys.length}`);
    }
    const incomplete = keys.map((bytes) => {
      const key = ownKey(decodeKey(bytes), scope);
      checkKey(key, 'incomplete');
      return key;
    });
    const complete: Uint8Array[] = [];
    for (const key of incomplete) complete.push(encodeKey(answeredKey(await this.#ids.complete(key), scope)));
    return { keys: complete };
  }

  /**
   * From now on none of the numeric ids in these complete Key messages, those of ancestors included, is allocated in their databases.
   * Names need no reservation. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN.
   */
  async reserveIds(scope: DatastoreScope, keys: readonly Uint8Array[]): Promise<void> {
    if (keys.length > LIMITS.allocateIdsMax) {
      throw new PlatformError('DS_LIMIT', `a call reserves the ids of at most ${LIMITS.allocateIdsMax} keys, this one ${keys.length}`);
    }
    const idsOf = new Map<string, bigint[]>();
    for (const bytes of keys) {
      const key = ownKey(decodeKey(bytes), scope);
      checkKey(key, 'complete');
      const ids = idsOf.get(key.databaseId) ?? [];
      idsOf.set(key.databaseId, ids);
      for (const { id } of key.path) if (id !== undefined) ids.push(id);
    }
    for (const [databaseId, ids] of idsOf) await this.#ids.reserve(scope.appId, databaseId, ids);
  }

  /**
   * Creates the composite indexes that are missing; they are maintained at once and serve when their backfill is done.
   * Throws DS_INVALID or DS_LIMIT before anything is changed.
   */
  async ensureIndexes({ appId }: DatastoreScope, definitions: readonly IndexDefinition[]): Promise<readonly IndexView[]> {
    await this.#catalog.ensure(appId, definitions);
    this.#indexWork.start();
    return this.listIndexes({ appId });
  }

  /** In the order of their ids, those being deleted too. */
  listIndexes({ appId }: DatastoreScope): readonly IndexView[] {
    return [...this.#catalog.list(appId)]
      .sort((left, right) => left.id - right.id)
      .map(({ id, definition, state, done, estimate, reason }) => ({
        ...{ id, definition, state, done, estimate },
        ...(reason === undefined ? {} : { reason }),
      }));
  }

  /** From now on no query uses the index; its rows go in the background. Throws DS_INDEX_NOT_FOUND. */
  async deleteIndex({ appId }: DatastoreScope, id: number): Promise<void> {
    await this.#catalog.delete(appId, id);
    this.#indexWork.start();
  }

  /** Resolves when no index waits to be built or taken away. */
  indexesBuilt(): Promise<void> {
    return this.#indexWork.idle();
  }

  /** Bytes of keys and values by app, index rows included; after a crash exact once they are counted anew. */
  storedBytes(): ReadonlyMap<string, number> {
    return this.tabletServer.appBytes;
  }

  readonly #onWrote = (appId: string, changes: readonly RowChange[]): void => {
    this.tabletServer.wrote(appId, changes);
    this.#options.onWrote?.(appId, changes.filter(({ key }) => isOfApp(key)).length);
  };

  async #unlessFailed(action: () => Promise<void>): Promise<void> {
    if (!this.#hasFailed) await action();
  }

  #noteFailure(error: unknown): void {
    if (!(error instanceof PlatformError) || error.code !== 'DS_CLOSED' || error.cause === undefined || this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onStoreFailed?.(error);
  }
}
