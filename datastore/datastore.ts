// The datastore's facade: App Engine's datastore over one ordered store. It joins the parts and owns their start and close;
// what they do is theirs.
// Must not know any wire beyond the data model, nor who is calling: `scope` says whose data a call is about.
// Read next: FORMAT.md for what is on disk, transaction/committer.ts for writes, query/normal-query.ts for queries.
import {
  type AllocateIdsResponse,
  type CommitResponse,
  type LookupResponse,
  type QueryPlanView,
  type QueryResult,
  type StoredEntity,
  type WireMutation,
} from '../sdk/contract/datastore-wire.ts';
import { decodeKey, encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { type Key } from '../sdk/contract/key.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type AggregationQuery, type MoreResults, type Query } from '../sdk/contract/query.ts';
import { type Clock, type Random, type Timers } from '../sdk/support/clock.ts';
import { CloseStack } from '../sdk/support/close-stack.ts';
import { type Log } from '../sdk/support/log.ts';
import { bindGql, type BoundStatement, type GqlArguments } from '../gql/bind.ts';
import { GqlCache } from '../gql/statement-cache.ts';
import { decodeEntityRow } from './codec/entity-row.ts';
import { checkKey, checkPartition } from './codec/key-check.ts';
import { entityRowKey, partitionOf, pathBytes } from './codec/row-key.ts';
import { HistoryCollector } from './history/history-collector.ts';
import { History } from './history/history.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { IndexCatalog } from './index/index-catalog.ts';
import { IndexWork } from './index/index-work.ts';
import { Checker } from './integrity/checker.ts';
import { Exporter } from './integrity/exporter.ts';
import { FileChecker } from './integrity/file-checker.ts';
import { Repairer } from './integrity/repairer.ts';
import { type AggregateValue, aggregatedProperties, runAggregations } from './query/aggregator.ts';
import { AutoIndexes } from './query/auto-indexes.ts';
import { cursorBehind, cursorHeader, decodeCursor, encodeCursor } from './query/cursor.ts';
import { runBatch, type Window } from './query/executor.ts';
import { Meter, type Reading } from './query/hit-source.ts';
import { KindLayout } from './query/kind-layout.ts';
import { listKinds, listNamespaces } from './query/listing.ts';
import { normalize } from './query/normal-query.ts';
import { planLines } from './query/plan-text.ts';
import { type QueryPlan } from './query/plan.ts';
import { planQuery } from './query/planner.ts';
import { SettingsCatalog } from './settings/settings-catalog.ts';
import { type Store, type StoreReader } from './storage/port.ts';
import { isOfApp } from './tablet/app-bytes.ts';
import { type RowChange } from './tablet/tablet-map.ts';
import { TabletServer, type TabletServerOptions } from './tablet/tablet-server.ts';
import { Committer } from './transaction/committer.ts';
import { HistoricReads } from './transaction/historic-reads.ts';
import { IdAllocator } from './transaction/id-allocator.ts';
import { type Patience } from './transaction/lock.ts';
import { LockTable } from './transaction/lock-table.ts';
import { ownKey } from './transaction/mutation.ts';
import { TransactionRegistry } from './transaction/transaction-registry.ts';
import { TtlPolicies } from './transaction/ttl-policies.ts';
import { TtlSweeper } from './transaction/ttl-sweeper.ts';
import { VersionClock } from './transaction/version-clock.ts';

/** Whose data a call is about. */
export interface DatastoreScope {
  readonly appId: string;
}

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
  /** Where the store's files are, if it has any: a check looks at their checksums. */
  readonly storeDirectory?: string;
  /** Called once when the store takes no more writes: the process is best restarted, which reopens it. */
  readonly onStoreFailed?: (error: PlatformError) => void;
}

export interface ReadOptions {
  readonly transaction?: Uint8Array;
  /** Microseconds: reads the state of then, at most an hour ago. Not within a transaction, which has its own. */
  readonly readTime?: bigint;
  /** Ends the wait for locks. */
  readonly signal?: AbortSignal;
}

export interface QueryOptions extends ReadOptions {
  /** Whether to return the plan beside the results. */
  readonly explain?: boolean;
}

export interface QueryAnswer {
  readonly resultKind: 'full' | 'projection' | 'key-only';
  readonly results: readonly QueryResult[];
  readonly skipped: number;
  readonly endCursor: Buffer;
  readonly more: MoreResults;
  /** What was asked, bound. */
  readonly query: Query;
  readonly plan?: QueryPlanView;
}

export interface AggregationAnswer {
  readonly values: readonly AggregateValue[];
  readonly plan?: QueryPlanView;
}

export type GqlAnswer =
  { readonly kind: 'query'; readonly answer: QueryAnswer } | { readonly kind: 'aggregation'; readonly answer: AggregationAnswer };

export interface GqlRequest extends GqlArguments {
  readonly text: string;
  readonly databaseId: string;
  readonly namespace: string;
}

export interface PartitionName {
  readonly databaseId: string;
  readonly namespace: string;
}

export type IndexView = Omit<CompositeIndex, 'progress' | 'since'>;

const LOOKUP_CHUNK_KEYS = 100;

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
  readonly #clock: Clock;
  readonly #options: DatastoreOptions;
  readonly #catalog: IndexCatalog;
  readonly #indexWork: IndexWork;
  readonly #autoIndexes: AutoIndexes;
  readonly #versions: VersionClock;
  readonly #ids: IdAllocator;
  readonly #locks: LockTable;
  readonly #transactions: TransactionRegistry;
  readonly #history: History;
  readonly #past: HistoricReads;
  readonly #collector: HistoryCollector;
  readonly #sweeper: TtlSweeper;
  readonly #committer: Committer;
  readonly #gql = new GqlCache();
  readonly #layout = new KindLayout();
  #close = new CloseStack();
  #hasFailed = false;
  /** Of clients, since the start: what the background looks at to give way. */
  #callsServed = 0;

  constructor(store: Store, clock: Clock, timers: Timers, random: Random, log: Log, options: DatastoreOptions = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
    this.settings = new SettingsCatalog(store);
    this.checker = new Checker(store, clock, new Repairer(store, this.#onWrote));
    this.fileChecker = new FileChecker(options.storeDirectory, clock, timers);
    this.exporter = new Exporter(
      clock,
      () => this.#versions.last,
      (appId, readTime) => this.#past.open(appId, readTime),
    );
    this.#catalog = new IndexCatalog(store);
    this.tabletServer = new TabletServer(store, clock, timers, random, log, options.tablets);
    this.#versions = new VersionClock(store, clock);
    this.#indexWork = new IndexWork(store, this.#catalog, clock, timers, log, {
      nextVersion: () => this.#versions.next(),
      counts: {
        begin: () => this.tabletServer.underWay.begin(),
        wrote: (appId, changes) => {
          this.tabletServer.wrote(appId, changes);
        },
      },
      callsServed: () => this.#callsServed,
    });
    this.#autoIndexes = new AutoIndexes(this.#catalog, this.#indexWork, timers, options.recordIndexes);
    this.#ids = new IdAllocator(store);
    this.#locks = new LockTable(clock, timers);
    this.#transactions = new TransactionRegistry(store, this.#locks, clock, timers, random);
    this.#history = new History(store, clock, options);
    this.#past = new HistoricReads(store, clock, this.#history, this.#catalog, this.#versions);
    const { underWay } = this.tabletServer;
    const forgotten = (changes: readonly RowChange[]): void => this.tabletServer.wrote('', changes);
    this.#collector = new HistoryCollector(store, this.#history, underWay, forgotten, clock, timers, log);
    this.#committer = new Committer(store, this.#catalog, this.#onWrote, this.#versions, this.#ids, this.#locks, this.#history, underWay);
    this.ttl = new TtlPolicies(store, this.settings);
    this.#sweeper = new TtlSweeper(store, this.settings, this.#committer, clock, timers, log);
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

  /**
   * Entities by complete Key messages, each key answered once. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN, DS_TX_INVALID.
   */
  async lookup({ appId }: DatastoreScope, keys: readonly Uint8Array[], options: ReadOptions = {}): Promise<LookupResponse> {
    if (keys.length > LIMITS.lookupKeysMax) {
      throw new PlatformError('DS_LIMIT', `a lookup has at most ${LIMITS.lookupKeysMax} keys, this one ${keys.length}`);
    }
    const wanted = distinctKeys(keys.map((bytes) => this.#wantedKey(bytes, appId)));
    return this.#reading(appId, options, wanted.length > 1, async (reader) => {
      const found: StoredEntity[] = [];
      const missing: Uint8Array[] = [];
      let bytes = 0;
      let at = 0;
      while (at < wanted.length && bytes <= LIMITS.queryBatchBytesMax) {
        const chunk = wanted.slice(at, at + LOOKUP_CHUNK_KEYS);
        const [only] = chunk;
        const rows = chunk.length === 1 && only ? [await reader.get(only.rowKey)] : await reader.getMany(chunk.map(({ rowKey }) => rowKey));
        for (const [index, { rowKey, key }] of chunk.entries()) {
          this.tabletServer.map.read(rowKey, 1);
          const row = rows[index];
          if (row) {
            const { message, version } = decodeEntityRow(row);
            found.push({ entity: message, version });
            bytes += message.length;
          } else missing.push(encodeKey(key));
        }
        at += chunk.length;
      }
      return { found, missing, deferred: wanted.slice(at).map(({ key }) => encodeKey(key)) };
    });
  }

  /** One batch of a query's results. Throws DS_NEED_INDEX and what `lookup` throws. */
  runQuery(scope: DatastoreScope, query: Query, options: QueryOptions = {}): Promise<QueryAnswer> {
    return this.#autoIndexes.run(scope.appId, options.transaction !== undefined, () => this.#runQuery(scope, query, options));
  }

  async #runQuery({ appId }: DatastoreScope, query: Query, options: QueryOptions): Promise<QueryAnswer> {
    const plan = planQuery(normalize(query, appId), this.#indexesOf(appId, options), this.#readTimeOf(appId, options));
    const header = cursorHeader(query, appId);
    const window = windowOf(query, header);
    const meter = new Meter(LIMITS.queryBatchRowsMax);
    return this.#reading(appId, options, true, async (reader) => {
      const batch = await runBatch(plan, window, this.#readingOf(reader, meter));
      return {
        resultKind: plan.query.resultKind,
        results: batch.results.map(({ entity, version, position }) => ({ entity, version, cursor: cursorBehind(header, position) })),
        skipped: batch.skipped,
        endCursor: encodeCursor(header, batch.reached),
        more: batch.more,
        query,
        ...(options.explain ? { plan: planView(plan, query, meter) } : {}),
      };
    });
  }

  /** count, sum and avg. Throws DEADLINE_EXCEEDED after `aggregationMs`, and what `runQuery` throws. */
  runAggregation(scope: DatastoreScope, query: AggregationQuery, options: QueryOptions = {}): Promise<AggregationAnswer> {
    return this.#autoIndexes.run(scope.appId, options.transaction !== undefined, () => this.#runAggregation(scope, query, options));
  }

  async #runAggregation({ appId }: DatastoreScope, query: AggregationQuery, options: QueryOptions): Promise<AggregationAnswer> {
    const { nested } = query;
    const plan = planQuery(
      normalize(nested, appId, { aggregated: aggregatedProperties(query) }),
      this.#indexesOf(appId, options),
      this.#readTimeOf(appId, options),
    );
    const window = windowOf(nested, cursorHeader(nested, appId));
    const meter = new Meter(Infinity);
    const endMs = this.#clock.monotonicMs() + LIMITS.aggregationMs;
    return this.#reading(appId, options, true, async (reader) => {
      const values = await runAggregations(plan, query, window, this.#readingOf(reader, meter), () => {
        if (this.#clock.monotonicMs() > endMs)
          throw new PlatformError('DEADLINE_EXCEEDED', `an aggregation has ${LIMITS.aggregationMs} ms`);
      });
      return { values, ...(options.explain ? { plan: planView(plan, nested, meter) } : {}) };
    });
  }

  /** A GQL statement as a bound query. Throws GQL_SYNTAX or GQL_BIND. */
  bindGql({ appId }: DatastoreScope, request: GqlRequest): BoundStatement {
    const { databaseId, namespace } = request;
    return bindGql(this.#gql.parse(request.text), request, { projectId: appId, databaseId, namespace });
  }

  /** Binds a GQL statement and runs it. Throws what `bindGql`, `runQuery` and `runAggregation` throw. */
  async runGql(scope: DatastoreScope, request: GqlRequest, options: QueryOptions = {}): Promise<GqlAnswer> {
    const bound = this.bindGql(scope, request);
    if (bound.kind === 'query') return { kind: 'query', answer: await this.runQuery(scope, bound.query, options) };
    return { kind: 'aggregation', answer: await this.runAggregation(scope, bound.query, options) };
  }

  /** The first `kindsListedMax` kinds that have entities, in the order of their bytes; one row is read for each. Throws DS_INVALID, DS_LIMIT. */
  async listKinds({ appId }: DatastoreScope, { databaseId, namespace }: PartitionName): Promise<readonly string[]> {
    checkPartition(databaseId, namespace);
    const partition = partitionOf(appId, databaseId, namespace);
    return this.#reading(appId, {}, true, async (reader) => {
      const meter = new Meter(Infinity);
      const kinds = await listKinds(reader, partition, LIMITS.kindsListedMax, meter);
      this.tabletServer.map.read(partition.kinds, meter.indexRows);
      return kinds;
    });
  }

  /** The first `namespacesListedMax` namespaces that have entities, likewise. */
  async listNamespaces({ appId }: DatastoreScope, { databaseId }: Pick<PartitionName, 'databaseId'>): Promise<readonly string[]> {
    checkPartition(databaseId, '');
    return this.#reading(appId, {}, true, async (reader) => {
      const meter = new Meter(Infinity);
      const namespaces = await listNamespaces(reader, appId, databaseId, LIMITS.namespacesListedMax, meter);
      this.tabletServer.map.read(partitionOf(appId, databaseId, '').kinds, meter.indexRows);
      return namespaces;
    });
  }

  /**
   * The id of a new transaction; its reads see the state of now, or a read-only one's that at `readTime`, in microseconds.
   * Throws DS_LIMIT, DS_CLOSED, DS_INVALID, DS_TOO_OLD.
   */
  async beginTransaction(
    { appId }: DatastoreScope,
    { readOnly = false, readTime }: { readonly readOnly?: boolean; readonly readTime?: bigint } = {},
  ): Promise<Buffer> {
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
  async commit({ appId }: DatastoreScope, mutations: readonly WireMutation[], options: ReadOptions = {}): Promise<CommitResponse> {
    this.#callsServed++;
    try {
      const patience = patienceOf(options);
      if (!options.transaction) return await this.#committer.commit(appId, mutations, patience);
      return await this.#transactions.commit(appId, options.transaction, async (taken) => {
        if (taken.kind === 'read-write') return this.#committer.commitWithin(taken.transaction, appId, mutations, patience);
        if (mutations.length > 0) throw new PlatformError('DS_INVALID', 'Cannot modify entities in a read-only transaction.');
        return { results: [], commitTimeMicros: this.#versions.last };
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

  /** The given incomplete Key messages with ids that no other call gets. */
  async allocateIds({ appId }: DatastoreScope, keys: readonly Uint8Array[]): Promise<AllocateIdsResponse> {
    if (keys.length > LIMITS.allocateIdsMax) {
      throw new PlatformError('DS_LIMIT', `a call allocates at most ${LIMITS.allocateIdsMax} ids, this one ${keys.length}`);
    }
    const incomplete = keys.map((bytes) => {
      const key = ownKey(decodeKey(bytes), appId);
      checkKey(key, 'incomplete');
      return key;
    });
    const complete: Uint8Array[] = [];
    for (const key of incomplete) complete.push(encodeKey(await this.#ids.complete(key)));
    return { keys: complete };
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

  /** Reads from the transaction, from a snapshot of its own, or (where one read cannot see two states) from the store. */
  async #reading<T>(
    appId: string,
    { transaction, readTime, ...options }: ReadOptions,
    needsSnapshot: boolean,
    read: (reader: StoreReader) => Promise<T>,
  ): Promise<T> {
    if (transaction && readTime !== undefined) throw new PlatformError('DS_INVALID', 'a read time cannot be combined with a transaction');
    this.#callsServed++;
    if (transaction) return read(this.#transactions.reader(appId, transaction, patienceOf(options)));
    if (!needsSnapshot && readTime === undefined) return read(this.#store);
    const snapshot = readTime === undefined ? this.#store.snapshot() : await this.#past.open(appId, readTime);
    try {
      return await read(snapshot);
    } finally {
      await snapshot.close();
    }
  }

  /** Those of the state that is read. */
  #indexesOf(appId: string, { transaction }: ReadOptions): readonly CompositeIndex[] {
    return transaction ? this.#transactions.indexes(appId, transaction) : this.#catalog.list(appId);
  }

  #readTimeOf(appId: string, { transaction, readTime }: ReadOptions): bigint | undefined {
    return transaction ? this.#transactions.readTime(appId, transaction) : readTime;
  }

  #readingOf(reader: StoreReader, meter: Meter): Reading {
    const { map } = this.tabletServer;
    return {
      reader,
      meter,
      layout: this.#layout,
      onRead: (key, rows) => {
        map.read(key, rows);
      },
    };
  }

  #wantedKey(bytes: Uint8Array, appId: string): WantedKey {
    const key = ownKey(decodeKey(bytes), appId);
    checkKey(key, 'filter');
    return { key, rowKey: entityRowKey(partitionOf(appId, key.databaseId, key.namespace), pathBytes(key.path)) };
  }

  async #unlessFailed(action: () => Promise<void>): Promise<void> {
    if (!this.#hasFailed) await action();
  }

  #noteFailure(error: unknown): void {
    if (!(error instanceof PlatformError) || error.code !== 'DS_CLOSED' || error.cause === undefined || this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onStoreFailed?.(error);
  }
}

function patienceOf({ signal }: ReadOptions): Patience {
  return signal ? { signal } : {};
}

interface WantedKey {
  readonly key: Key;
  readonly rowKey: Buffer;
}

function distinctKeys(keys: readonly WantedKey[]): readonly WantedKey[] {
  if (keys.length < 2) return keys;
  return [...new Map(keys.map((wanted) => [wanted.rowKey.toString('latin1'), wanted])).values()];
}

function windowOf(query: Query, header: Buffer): Window {
  return {
    offset: query.offset,
    ...(query.limit === undefined ? {} : { limit: query.limit }),
    ...(query.startCursor ? { from: decodeCursor(header, query.startCursor) } : {}),
    ...(query.endCursor ? { end: decodeCursor(header, query.endCursor) } : {}),
  };
}

function planView(plan: QueryPlan, { filter }: Query, meter: Meter): QueryPlanView {
  return { scans: planLines(plan, filter), indexRowsRead: meter.indexRows, entitiesRead: meter.entities };
}
