// Everything that reads entities for others: by key, by query, as numbers, as lists of names. Each from a transaction, from an
// earlier time, or from a state of its own.
// Must not write, and leaves it to query/ what a query means and reads.
import { decodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Key } from '../sdk/contract/key.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type AggregationQuery, type Query } from '../sdk/contract/query.ts';
import { type Clock } from '../sdk/support/clock.ts';
import { decodeEntityRow, type EntityRow } from './codec/entity-row.ts';
import { checkKey, checkPartition } from './codec/key-check.ts';
import { type DatastoreScope, ownKey, ownQuery } from './codec/own-key.ts';
import { entityRowKey, partitionOf, pathBytes } from './codec/row-key.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { type IndexCatalog } from './index/index-catalog.ts';
import { aggregatedProperties, runAggregations } from './query/aggregator.ts';
import { type AutoIndexes } from './query/auto-indexes.ts';
import { cursorHeader, decodeCursor } from './query/cursor.ts';
import { type ResultBatch, runBatch, type Window } from './query/executor.ts';
import { Meter, NOWHERE, type Reading } from './query/hit-source.ts';
import { KindLayout } from './query/kind-layout.ts';
import { listKinds, listNamespaces } from './query/listing.ts';
import { normalize } from './query/normal-query.ts';
import { indexesUsed, planLines } from './query/plan-text.ts';
import { type QueryPlan } from './query/plan.ts';
import { planQuery } from './query/planner.ts';
import { type AggregationAnswer, batchAnswer, type LookupAnswer, LookupAnswers, type PlanView, type QueryAnswer } from './read-answer.ts';
import { type Store, type StoreReader, type StoreSnapshot } from './storage/port.ts';
import { type TabletServer } from './tablet/tablet-server.ts';
import { type HistoricReads } from './transaction/historic-reads.ts';
import { type Patience } from './transaction/lock.ts';
import { type PresentReads } from './transaction/present-reads.ts';
import { type ResetGate } from './transaction/reset-gate.ts';
import { type TransactionRegistry } from './transaction/transaction-registry.ts';

export interface ReadOptions {
  readonly transaction?: Uint8Array;
  /** Microseconds: reads the state of then, at most an hour ago. Not within a transaction, which has its own. */
  readonly readTime?: bigint;
  /** Ends the wait for locks. */
  readonly signal?: AbortSignal;
  /** Spares finding out which time the state is of: `readTime` of the answer is 0n then. */
  readonly untimed?: true;
}

export interface QueryOptions extends ReadOptions {
  /** Whether to return the plan beside the results; `plan-only`: the plan alone, without reading anything. */
  readonly explain?: boolean | 'plan-only';
}

export interface PartitionName {
  readonly databaseId: string;
  readonly namespace: string;
}

/** Rows read at once: few until it shows that they are small, since those that do not fit into the answer are read again. */
const LOOKUP_CHUNK_KEYS = { first: 25, next: 100 };
/** The read time of those who do not want to know. */
const UNTIMED = 0n;
const UNTIMED_READ: ReadOptions = { untimed: true };

/** What reads are made of. */
export interface ReadParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly catalog: IndexCatalog;
  readonly autoIndexes: AutoIndexes;
  readonly transactions: TransactionRegistry;
  readonly present: PresentReads;
  readonly past: HistoricReads;
  readonly tabletServer: TabletServer;
  readonly gate: ResetGate;
  /** Told of each call. */
  readonly onCall: () => void;
}

export class Reads {
  readonly #parts: ReadParts;
  readonly #layout = new KindLayout();

  constructor(parts: ReadParts) {
    this.#parts = parts;
  }

  /**
   * Entities by complete Key messages, each key answered once. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN, DS_TX_INVALID.
   */
  async lookup(scope: DatastoreScope, keys: readonly Uint8Array[], options: ReadOptions = {}): Promise<LookupAnswer> {
    if (keys.length > LIMITS.lookupKeysMax) {
      throw new PlatformError('DS_LIMIT', `a lookup has at most ${LIMITS.lookupKeysMax} keys, this one ${keys.length}`);
    }
    const wanted = distinctKeys(keys.map((bytes) => wantedKey(bytes, scope)));
    const [only] = wanted;
    const answer = only && wanted.length === 1 ? await this.#lookupOne(scope, only, options) : undefined;
    if (answer) return answer;
    return this.#reading(scope.appId, options, async (reader, time) => {
      const answers = new LookupAnswers(scope);
      let at = 0;
      for (let isFull = false; at < wanted.length && !isFull;) {
        const chunk = wanted.slice(at, at + (at === 0 ? LOOKUP_CHUNK_KEYS.first : LOOKUP_CHUNK_KEYS.next));
        const [first] = chunk;
        const rows =
          chunk.length === 1 && first ? [await reader.get(first.rowKey)] : await reader.getMany(chunk.map(({ rowKey }) => rowKey));
        for (const [index, { rowKey, key }] of chunk.entries()) {
          this.#parts.tabletServer.map.read(rowKey, 1);
          const row = rows[index];
          isFull = !answers.add(key, row && decodeEntityRow(row));
          if (isFull) break;
          at++;
        }
      }
      return answers.take(await time(), wanted.slice(at));
    });
  }

  /** Of now, and without a snapshot: one read cannot see two states. Undefined where that does not do. */
  async #lookupOne(scope: DatastoreScope, { key, rowKey }: WantedKey, options: ReadOptions): Promise<LookupAnswer | undefined> {
    const { transaction, readTime, untimed } = options;
    if (transaction || readTime !== undefined) return undefined;
    const { store, present, tabletServer } = this.#parts;
    return this.#admitted(scope.appId, async () => {
      const read = untimed ? { row: await entityIn(store, rowKey), readTime: UNTIMED } : await present.get(rowKey);
      if (!read) return undefined;
      tabletServer.map.read(rowKey, 1);
      const answers = new LookupAnswers(scope);
      answers.add(key, read.row);
      return answers.take(read.readTime);
    });
  }

  /** One batch of a query's results. Throws DS_NEED_INDEX and what `lookup` throws. */
  runQuery(scope: DatastoreScope, query: Query, options: QueryOptions = {}): Promise<QueryAnswer> {
    return this.#parts.autoIndexes.run(scope.appId, options.transaction !== undefined, () => this.#runQuery(scope, query, options));
  }

  async #runQuery(scope: DatastoreScope, asked: Query, options: QueryOptions): Promise<QueryAnswer> {
    const { appId } = scope;
    for (let closed = this.#closedFor(appId); closed; closed = this.#closedFor(appId)) await closed;
    const startMs = this.#parts.clock.monotonicMs();
    const query = ownQuery(asked, scope);
    const plan = planQuery(normalize(query, appId), this.#indexesOf(appId, options), this.#readTimeOf(appId, options));
    const header = cursorHeader(query, appId);
    const window = windowOf(query, header);
    const meter = new Meter(LIMITS.queryBatchRowsMax);
    const about = { resultKind: plan.query.resultKind, query: asked };
    const explained = (): { readonly plan?: PlanView } =>
      options.explain ? { plan: planView(plan, query, meter, this.#parts.clock.monotonicMs() - startMs) } : {};
    if (options.explain === 'plan-only') {
      checkReadTime(options);
      const nothing: ResultBatch = { results: [], skipped: 0, reached: window.from ?? NOWHERE, more: 'not-finished' };
      return { ...about, ...batchAnswer(nothing, header, scope), ...explained(), readTime: UNTIMED };
    }
    return this.#reading(appId, options, async (reader, time) => {
      const batch = await runBatch(plan, window, this.#readingOf(reader, meter));
      return { ...about, ...batchAnswer(batch, header, scope), ...explained(), readTime: await time() };
    });
  }

  /** count, sum and avg. Throws DEADLINE_EXCEEDED after `aggregationMs`, and what `runQuery` throws. */
  runAggregation(scope: DatastoreScope, query: AggregationQuery, options: QueryOptions = {}): Promise<AggregationAnswer> {
    return this.#parts.autoIndexes.run(scope.appId, options.transaction !== undefined, () => this.#runAggregation(scope, query, options));
  }

  async #runAggregation(scope: DatastoreScope, query: AggregationQuery, options: QueryOptions): Promise<AggregationAnswer> {
    const { appId } = scope;
    for (let closed = this.#closedFor(appId); closed; closed = this.#closedFor(appId)) await closed;
    const nested = ownQuery(query.nested, scope);
    const plan = planQuery(
      normalize(nested, appId, { aggregated: aggregatedProperties(query) }),
      this.#indexesOf(appId, options),
      this.#readTimeOf(appId, options),
    );
    const window = windowOf(nested, cursorHeader(nested, appId));
    const meter = new Meter(Infinity);
    const startMs = this.#parts.clock.monotonicMs();
    const explained = (): { readonly plan?: PlanView } =>
      options.explain ? { plan: planView(plan, nested, meter, this.#parts.clock.monotonicMs() - startMs) } : {};
    if (options.explain === 'plan-only') {
      checkReadTime(options);
      return { values: [], ...explained(), readTime: UNTIMED };
    }
    return this.#reading(appId, options, async (reader, time) => {
      const values = await runAggregations(plan, query, window, this.#readingOf(reader, meter), () => {
        if (this.#parts.clock.monotonicMs() > startMs + LIMITS.aggregationMs)
          throw new PlatformError('DEADLINE_EXCEEDED', `an aggregation has ${LIMITS.aggregationMs} ms`);
      });
      return { values, ...explained(), readTime: await time() };
    });
  }

  /** The first `kindsListedMax` kinds that have entities, in the order of their bytes; one row is read for each. Throws DS_INVALID, DS_LIMIT. */
  async listKinds({ appId }: DatastoreScope, { databaseId, namespace }: PartitionName): Promise<readonly string[]> {
    checkPartition(databaseId, namespace);
    const partition = partitionOf(appId, databaseId, namespace);
    return this.#reading(appId, UNTIMED_READ, async (reader) => {
      const meter = new Meter(Infinity);
      const kinds = await listKinds(reader, partition, LIMITS.kindsListedMax, meter);
      this.#parts.tabletServer.map.read(partition.kinds, meter.indexRows);
      return kinds;
    });
  }

  /** The first `namespacesListedMax` namespaces that have entities, likewise. */
  async listNamespaces({ appId }: DatastoreScope, { databaseId }: Pick<PartitionName, 'databaseId'>): Promise<readonly string[]> {
    checkPartition(databaseId, '');
    return this.#reading(appId, UNTIMED_READ, async (reader) => {
      const meter = new Meter(Infinity);
      const namespaces = await listNamespaces(reader, appId, databaseId, LIMITS.namespacesListedMax, meter);
      this.#parts.tabletServer.map.read(partitionOf(appId, databaseId, '').kinds, meter.indexRows);
      return namespaces;
    });
  }

  /** Waits while the app is wiped, and has a wipe wait for the read. */
  async #admitted<T>(appId: string, read: () => Promise<T>): Promise<T> {
    this.#parts.onCall();
    for (let closed = this.#closedFor(appId); closed; closed = this.#closedFor(appId)) await closed;
    const end = this.#parts.gate.readBegins();
    try {
      return await read();
    } finally {
      end();
    }
  }

  /** Reads from the transaction, or from a snapshot of its own. */
  async #reading<T>(appId: string, options: ReadOptions, read: Read<T>): Promise<T> {
    checkReadTime(options);
    return this.#admitted(appId, () => this.#from(appId, options, read));
  }

  async #from<T>(appId: string, options: ReadOptions, read: Read<T>): Promise<T> {
    const { transaction, readTime, untimed } = options;
    if (transaction) {
      const { transactions } = this.#parts;
      const reader = transactions.reader(appId, transaction, patienceOf(options));
      return read(reader, () => (untimed ? UNTIMED : transactions.snapshotTime(appId, transaction)));
    }
    if (readTime !== undefined) return closing(await this.#parts.past.open(appId, readTime), (snapshot) => read(snapshot, () => readTime));
    if (untimed) return closing(this.#parts.store.snapshot(), (snapshot) => read(snapshot, () => UNTIMED));
    const { snapshot, moment } = await this.#parts.present.open(appId);
    return closing(snapshot, () => read(snapshot, () => moment.readTime((key) => snapshot.get(key))));
  }

  /** What to wait for while the app is wiped: before a plan is made, since it names indexes. */
  #closedFor(appId: string): Promise<void> | undefined {
    return this.#parts.gate.closedFor(appId);
  }

  /** Those of the state that is read. */
  #indexesOf(appId: string, { transaction }: ReadOptions): readonly CompositeIndex[] {
    return transaction ? this.#parts.transactions.indexes(appId, transaction) : this.#parts.catalog.list(appId);
  }

  #readTimeOf(appId: string, { transaction, readTime }: ReadOptions): bigint | undefined {
    return transaction ? this.#parts.transactions.readTime(appId, transaction) : readTime;
  }

  #readingOf(reader: StoreReader, meter: Meter): Reading {
    const { map } = this.#parts.tabletServer;
    return {
      reader,
      meter,
      layout: this.#layout,
      onRead: (key, rows) => {
        map.read(key, rows);
      },
    };
  }
}

export function patienceOf({ signal }: ReadOptions): Patience {
  return signal ? { signal } : {};
}

/** `time`, once the reader has been read, is when its state was that of now. */
type Read<T> = (reader: StoreReader, time: () => bigint | Promise<bigint>) => Promise<T>;

interface WantedKey {
  readonly key: Key;
  readonly rowKey: Buffer;
}

function wantedKey(bytes: Uint8Array, scope: DatastoreScope): WantedKey {
  const key = ownKey(decodeKey(bytes), scope);
  checkKey(key, 'filter');
  return { key, rowKey: entityRowKey(partitionOf(key.projectId, key.databaseId, key.namespace), pathBytes(key.path)) };
}

async function entityIn(reader: StoreReader, rowKey: Buffer): Promise<EntityRow | undefined> {
  const row = await reader.get(rowKey);
  return row && decodeEntityRow(row);
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

function planView(plan: QueryPlan, { filter }: Query, meter: Meter, durationMs: number): PlanView {
  return {
    ...{ scans: planLines(plan, filter), indexRowsRead: meter.indexRows, entitiesRead: meter.entities },
    ...{ indexesUsed: indexesUsed(plan), durationMs },
  };
}

function checkReadTime({ transaction, readTime }: ReadOptions): void {
  if (transaction && readTime !== undefined) throw new PlatformError('DS_INVALID', 'a read time cannot be combined with a transaction');
}

async function closing<T>(snapshot: StoreSnapshot, read: (snapshot: StoreSnapshot) => Promise<T>): Promise<T> {
  try {
    return await read(snapshot);
  } finally {
    await snapshot.close();
  }
}
