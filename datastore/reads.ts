// Everything that reads entities for others: by key, by query, as numbers, as lists of names. Each from a transaction, from an
// earlier time, or from a state of its own.
// Must not write, and leaves it to query/ what a query means and reads.
import { type LookupResponse, type QueryPlanView, type QueryResult, type StoredEntity } from '../sdk/contract/datastore-wire.ts';
import { decodeKey, encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Key } from '../sdk/contract/key.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type AggregationQuery, type MoreResults, type Query } from '../sdk/contract/query.ts';
import { type Clock } from '../sdk/support/clock.ts';
import { decodeEntityRow } from './codec/entity-row.ts';
import { checkKey, checkPartition } from './codec/key-check.ts';
import { answeredEntity, answeredKey, type DatastoreScope, ownKey, ownQuery } from './codec/own-key.ts';
import { entityRowKey, partitionOf, pathBytes } from './codec/row-key.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { type IndexCatalog } from './index/index-catalog.ts';
import { type AggregateValue, aggregatedProperties, runAggregations } from './query/aggregator.ts';
import { type AutoIndexes } from './query/auto-indexes.ts';
import { cursorBehind, cursorHeader, decodeCursor, encodeCursor } from './query/cursor.ts';
import { runBatch, type Window } from './query/executor.ts';
import { Meter, type Reading } from './query/hit-source.ts';
import { KindLayout } from './query/kind-layout.ts';
import { listKinds, listNamespaces } from './query/listing.ts';
import { normalize } from './query/normal-query.ts';
import { planLines } from './query/plan-text.ts';
import { type QueryPlan } from './query/plan.ts';
import { planQuery } from './query/planner.ts';
import { type Store, type StoreReader } from './storage/port.ts';
import { type TabletServer } from './tablet/tablet-server.ts';
import { type HistoricReads } from './transaction/historic-reads.ts';
import { type Patience } from './transaction/lock.ts';
import { type ResetGate } from './transaction/reset-gate.ts';
import { type TransactionRegistry } from './transaction/transaction-registry.ts';

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

export interface PartitionName {
  readonly databaseId: string;
  readonly namespace: string;
}

const LOOKUP_CHUNK_KEYS = 100;

/** What reads are made of. */
export interface ReadParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly catalog: IndexCatalog;
  readonly autoIndexes: AutoIndexes;
  readonly transactions: TransactionRegistry;
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
  async lookup(scope: DatastoreScope, keys: readonly Uint8Array[], options: ReadOptions = {}): Promise<LookupResponse> {
    if (keys.length > LIMITS.lookupKeysMax) {
      throw new PlatformError('DS_LIMIT', `a lookup has at most ${LIMITS.lookupKeysMax} keys, this one ${keys.length}`);
    }
    const wanted = distinctKeys(keys.map((bytes) => wantedKey(bytes, scope)));
    return this.#reading(scope.appId, options, wanted.length > 1, async (reader) => {
      const found: StoredEntity[] = [];
      const missing: Uint8Array[] = [];
      let bytes = 0;
      let at = 0;
      while (at < wanted.length && bytes <= LIMITS.queryBatchBytesMax) {
        const chunk = wanted.slice(at, at + LOOKUP_CHUNK_KEYS);
        const [only] = chunk;
        const rows = chunk.length === 1 && only ? [await reader.get(only.rowKey)] : await reader.getMany(chunk.map(({ rowKey }) => rowKey));
        for (const [index, { rowKey, key }] of chunk.entries()) {
          this.#parts.tabletServer.map.read(rowKey, 1);
          const row = rows[index];
          if (row) {
            const { message, version } = decodeEntityRow(row);
            found.push({ entity: answeredEntity(message, scope), version });
            bytes += message.length;
          } else missing.push(encodeKey(answeredKey(key, scope)));
        }
        at += chunk.length;
      }
      return { found, missing, deferred: wanted.slice(at).map(({ key }) => encodeKey(answeredKey(key, scope))) };
    });
  }

  /** One batch of a query's results. Throws DS_NEED_INDEX and what `lookup` throws. */
  runQuery(scope: DatastoreScope, query: Query, options: QueryOptions = {}): Promise<QueryAnswer> {
    return this.#parts.autoIndexes.run(scope.appId, options.transaction !== undefined, () => this.#runQuery(scope, query, options));
  }

  async #runQuery(scope: DatastoreScope, asked: Query, options: QueryOptions): Promise<QueryAnswer> {
    const { appId } = scope;
    for (let closed = this.#closedFor(appId); closed; closed = this.#closedFor(appId)) await closed;
    const query = ownQuery(asked, scope);
    const plan = planQuery(normalize(query, appId), this.#indexesOf(appId, options), this.#readTimeOf(appId, options));
    const header = cursorHeader(query, appId);
    const window = windowOf(query, header);
    const meter = new Meter(LIMITS.queryBatchRowsMax);
    return this.#reading(appId, options, true, async (reader) => {
      const batch = await runBatch(plan, window, this.#readingOf(reader, meter));
      return {
        resultKind: plan.query.resultKind,
        results: batch.results.map(({ entity, version, position }) => ({
          entity: answeredEntity(entity, scope),
          version,
          cursor: cursorBehind(header, position),
        })),
        skipped: batch.skipped,
        endCursor: encodeCursor(header, batch.reached),
        more: batch.more,
        query: asked,
        ...(options.explain ? { plan: planView(plan, query, meter) } : {}),
      };
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
    const endMs = this.#parts.clock.monotonicMs() + LIMITS.aggregationMs;
    return this.#reading(appId, options, true, async (reader) => {
      const values = await runAggregations(plan, query, window, this.#readingOf(reader, meter), () => {
        if (this.#parts.clock.monotonicMs() > endMs)
          throw new PlatformError('DEADLINE_EXCEEDED', `an aggregation has ${LIMITS.aggregationMs} ms`);
      });
      return { values, ...(options.explain ? { plan: planView(plan, nested, meter) } : {}) };
    });
  }

  /** The first `kindsListedMax` kinds that have entities, in the order of their bytes; one row is read for each. Throws DS_INVALID, DS_LIMIT. */
  async listKinds({ appId }: DatastoreScope, { databaseId, namespace }: PartitionName): Promise<readonly string[]> {
    checkPartition(databaseId, namespace);
    const partition = partitionOf(appId, databaseId, namespace);
    return this.#reading(appId, {}, true, async (reader) => {
      const meter = new Meter(Infinity);
      const kinds = await listKinds(reader, partition, LIMITS.kindsListedMax, meter);
      this.#parts.tabletServer.map.read(partition.kinds, meter.indexRows);
      return kinds;
    });
  }

  /** The first `namespacesListedMax` namespaces that have entities, likewise. */
  async listNamespaces({ appId }: DatastoreScope, { databaseId }: Pick<PartitionName, 'databaseId'>): Promise<readonly string[]> {
    checkPartition(databaseId, '');
    return this.#reading(appId, {}, true, async (reader) => {
      const meter = new Meter(Infinity);
      const namespaces = await listNamespaces(reader, appId, databaseId, LIMITS.namespacesListedMax, meter);
      this.#parts.tabletServer.map.read(partitionOf(appId, databaseId, '').kinds, meter.indexRows);
      return namespaces;
    });
  }

  /** Reads from the transaction, from a snapshot of its own, or (where one read cannot see two states) from the store. */
  async #reading<T>(
    appId: string,
    { transaction, readTime, ...options }: ReadOptions,
    needsSnapshot: boolean,
    read: (reader: StoreReader) => Promise<T>,
  ): Promise<T> {
    if (transaction && readTime !== undefined) throw new PlatformError('DS_INVALID', 'a read time cannot be combined with a transaction');
    this.#parts.onCall();
    for (let closed = this.#closedFor(appId); closed; closed = this.#closedFor(appId)) await closed;
    const end = this.#parts.gate.readBegins();
    try {
      if (transaction) return await read(this.#parts.transactions.reader(appId, transaction, patienceOf(options)));
      if (!needsSnapshot && readTime === undefined) return await read(this.#parts.store);
      const snapshot = readTime === undefined ? this.#parts.store.snapshot() : await this.#parts.past.open(appId, readTime);
      try {
        return await read(snapshot);
      } finally {
        await snapshot.close();
      }
    } finally {
      end();
    }
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

interface WantedKey {
  readonly key: Key;
  readonly rowKey: Buffer;
}

function wantedKey(bytes: Uint8Array, scope: DatastoreScope): WantedKey {
  const key = ownKey(decodeKey(bytes), scope);
  checkKey(key, 'filter');
  return { key, rowKey: entityRowKey(partitionOf(key.projectId, key.databaseId, key.namespace), pathBytes(key.path)) };
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
