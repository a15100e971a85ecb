// The datastore as an app sees it: keys, entities, GQL and transactions over the instance's own socket.
import {
  type AllocateIdsRequest,
  type AllocateIdsResponse,
  type BeginTransactionRequest,
  type BeginTransactionResponse,
  type CommitRequest,
  type CommitResponse,
  DATASTORE_SERVICE,
  type DatastoreMethod,
  type LookupRequest,
  type LookupResponse,
  type RollbackRequest,
  type RunAggregationRequest,
  type RunAggregationResponse,
  type RunQueryRequest,
  type RunQueryResponse,
  type WireGqlArgument,
  type WireMutation,
} from '../contract/datastore-wire.ts';
import { decodeEntity, decodeKey, decodeValue, encodeEntity, encodeKey, encodeValue } from '../contract/entity-proto.ts';
import { type ErrorCode, PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type Rpc } from '../contract/wire/client.ts';
import { type Random, sleep, type Timers } from '../support/clock.ts';
import { type AppEntity, appEntity, DatastoreKey, naturalFromValue, propertiesFromNatural, valueFromNatural } from './natural-value.ts';

/** A list for `@1 @2` (or `:1 :2`), an object for `@name` (or `:name`). */
export type GqlArguments = readonly unknown[] | Readonly<Record<string, unknown>>;

export interface GqlResult {
  readonly entities: readonly AppEntity[];
  /** Pass it as a GQL argument (`LIMIT`/`OFFSET @cursor`) to go on after the last result. */
  readonly cursor: Cursor;
}

/** A position in a query's results; opaque, text for links. */
export class Cursor {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Throws DS_INVALID for what `toString` did not write. */
  static parse(text: string): Cursor {
    if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new PlatformError('DS_INVALID', 'not a cursor');
    return new Cursor(Buffer.from(text, 'base64url'));
  }

  toString(): string {
    return Buffer.from(this.bytes).toString('base64url');
  }
}

export interface ReadOptions {
  /** Reads the state of then, at most an hour ago, not that of now. Not within a transaction. Throws DS_TOO_OLD, DS_INVALID. */
  readonly readTime?: Date;
}

export interface TransactionOptions {
  readonly readOnly?: boolean;
  /** Of a read-only one: its reads see the state of then, at most an hour ago. */
  readonly readTime?: Date;
  /** Tries in all when other transactions get in the way; default 5. */
  readonly attempts?: number;
}

const ATTEMPTS_DEFAULT = 5;
/** What may succeed with a new transaction, and says for sure that nothing was written: others were in the way, the server forgot it in a restart, or is too busy. */
const RUN_AGAIN: ReadonlySet<ErrorCode> = new Set(['DS_TX_CONFLICT', 'DS_TX_INVALID', 'DS_OVERLOADED', 'STORE_UNREACHABLE']);
const BACKOFF_MS_MIN = 10;
const BACKOFF_MS_MAX = 1_000;

/** What both the datastore and a transaction can read. */
class Reader {
  protected readonly rpc: Rpc;
  readonly #transaction: Uint8Array | undefined;

  constructor(rpc: Rpc, transaction?: Uint8Array) {
    this.rpc = rpc;
    this.#transaction = transaction;
  }

  /** The entity with that key, or undefined. */
  async get(key: DatastoreKey, options: ReadOptions = {}): Promise<AppEntity | undefined> {
    const [entity] = await this.getMany([key], options);
    return entity;
  }

  /** One place for each key, in their order; undefined for those that are not there. */
  async getMany(keys: readonly DatastoreKey[], options: ReadOptions = {}): Promise<(AppEntity | undefined)[]> {
    const found = new Map<string, AppEntity>();
    for (let start = 0; start < keys.length; start += LIMITS.lookupKeysMax) {
      let wanted: readonly Uint8Array[] = keys.slice(start, start + LIMITS.lookupKeysMax).map(keyBytes);
      while (wanted.length > 0) {
        const response = (await this.read('lookup', { keys: wanted, ...readTimeOf(options) } satisfies LookupRequest)) as LookupResponse;
        for (const { entity } of response.found) {
          const decoded = appEntity(decodeEntity(entity));
          found.set(decoded.key.toString(), decoded);
        }
        wanted = response.deferred;
      }
    }
    return keys.map((key) => found.get(key.toString()));
  }

  /**
   * Runs a GQL statement and collects every result: give the statement a LIMIT.
   */
  async gql(text: string, args: GqlArguments = {}, options: ReadOptions = {}): Promise<GqlResult> {
    const entities: AppEntity[] = [];
    const readTime = readTimeOf(options);
    let request: RunQueryRequest = { gql: { text, databaseId: '', namespace: '', ...gqlArguments(args) }, ...readTime };
    for (;;) {
      const response = (await this.read('runQuery', request)) as RunQueryResponse;
      for (const { entity } of response.results) entities.push(appEntity(decodeEntity(entity)));
      if (response.more !== 'not-finished') return { entities, cursor: new Cursor(response.endCursor) };
      const { query } = response;
      request = {
        ...readTime,
        query: {
          ...query,
          startCursor: response.endCursor,
          offset: Math.max(0, query.offset - response.skipped),
          ...(query.limit === undefined ? {} : { limit: Math.max(0, query.limit - response.results.length) }),
        },
      };
    }
  }

  /**
   * Runs a GQL statement that counts, sums or averages. The results by their names: `SELECT COUNT(*) AS books FROM Book`
   * answers `{ books: 12 }`; without a name they are `property_1`, `property_2`, …
   */
  async aggregate(text: string, args: GqlArguments = {}, options: ReadOptions = {}): Promise<Readonly<Record<string, unknown>>> {
    const gql = { text, databaseId: '', namespace: '', ...gqlArguments(args) };
    const request: RunAggregationRequest = { gql, ...readTimeOf(options) };
    const { values } = (await this.read('runAggregation', request)) as RunAggregationResponse;
    return Object.fromEntries(values.map(({ alias, value }) => [alias, naturalFromValue(decodeValue(value))]));
  }

  protected read(method: DatastoreMethod, payload: object): Promise<unknown> {
    const request = this.#transaction ? { ...payload, transaction: this.#transaction } : payload;
    return this.rpc.call(DATASTORE_SERVICE, method, request, { idempotent: true });
  }
}

/**
 * One transaction: reads see the state at its start, writes are kept here until the end and then applied all or none.
 * Handed to the function given to `Datastore.transaction`, and of no use after it.
 */
export class Transaction extends Reader {
  readonly mutations: WireMutation[] = [];

  /** Writes an entity that must not exist yet; an incomplete key gets an id at the end. */
  insert(entity: AppEntity): void {
    this.mutations.push({ op: 'insert', entity: entityBytes(entity) });
  }

  /** Replaces an entity that must exist. */
  update(entity: AppEntity): void {
    this.mutations.push({ op: 'update', entity: entityBytes(entity) });
  }

  /** Writes an entity whether it exists or not. */
  put(entity: AppEntity): void {
    this.mutations.push({ op: 'upsert', entity: entityBytes(entity) });
  }

  delete(key: DatastoreKey): void {
    this.mutations.push({ op: 'delete', key: keyBytes(key) });
  }
}

export class Datastore extends Reader {
  readonly #timers: Timers;
  readonly #random: Random;

  constructor(rpc: Rpc, timers: Timers, random: Random) {
    super(rpc);
    this.#timers = timers;
    this.#random = random;
  }

  /**
   * A key from alternating kinds and ids or names: `key('Guestbook', 'main', 'Greeting', 5)`. Numbers and bigints are
   * ids, strings are names; without the last one the key is incomplete and gets an id when it is written.
   */
  key(...path: readonly (string | number | bigint)[]): DatastoreKey {
    return keyFromPath(path, '');
  }

  /** As `key`, in a namespace. */
  keyIn(namespace: string, ...path: readonly (string | number | bigint)[]): DatastoreKey {
    return keyFromPath(path, namespace);
  }

  /** Writes an entity whether it exists or not; returns its key, complete. */
  async put(entity: AppEntity): Promise<DatastoreKey> {
    return this.#commitOne({ op: 'upsert', entity: entityBytes(entity) }, entity.key);
  }

  /** Throws DS_ALREADY_EXISTS. */
  async insert(entity: AppEntity): Promise<DatastoreKey> {
    return this.#commitOne({ op: 'insert', entity: entityBytes(entity) }, entity.key);
  }

  /** Throws DS_NOT_FOUND. */
  async update(entity: AppEntity): Promise<void> {
    await this.#commitOne({ op: 'update', entity: entityBytes(entity) }, entity.key);
  }

  /** Deletes it if it is there. */
  async delete(key: DatastoreKey): Promise<void> {
    await this.#commitOne({ op: 'delete', key: keyBytes(key) }, key);
  }

  /** `count` complete keys with ids that nobody else gets, for an incomplete `key`. Throws DS_LIMIT above 500. */
  async allocateIds(key: DatastoreKey, count: number): Promise<DatastoreKey[]> {
    if (!Number.isInteger(count) || count < 0 || count > LIMITS.allocateIdsMax) {
      throw new PlatformError('DS_LIMIT', `a call allocates 0 to ${LIMITS.allocateIdsMax} ids, not ${count}`);
    }
    const keys = Array.from({ length: count }, () => keyBytes(key));
    const response = (await this.rpc.call(DATASTORE_SERVICE, 'allocateIds', { keys } satisfies AllocateIdsRequest, {
      idempotent: true,
    })) as AllocateIdsResponse;
    return response.keys.map((bytes) => DatastoreKey.from(decodeKey(bytes)));
  }

  /**
   * Runs `work` in a transaction and commits what it wrote; whatever it throws rolls back. When another transaction got
   * in the way, or the transaction was lost in a restart of the datastore, `work` runs again after a pause, up to `attempts` times, so it must not do anything that cannot be
   * repeated. Returns what `work` returned.
   */
  async transaction<T>(work: (transaction: Transaction) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> {
    const { attempts = ATTEMPTS_DEFAULT, readOnly = false } = options;
    const begin: BeginTransactionRequest = { readOnly, ...readTimeOf(options) };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(work, begin);
      } catch (error) {
        if (!(error instanceof PlatformError) || !RUN_AGAIN.has(error.code) || attempt >= attempts) throw error;
      }
      const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (attempt - 1));
      await sleep(this.#timers, backoffMs * (0.5 + this.#random.fraction()));
    }
  }

  async #attempt<T>(work: (transaction: Transaction) => Promise<T> | T, begin: BeginTransactionRequest): Promise<T> {
    const begun = (await this.rpc.call(DATASTORE_SERVICE, 'beginTransaction', begin, {
      idempotent: true,
    })) as BeginTransactionResponse;
    const transaction = new Transaction(this.rpc, begun.transaction);
    let result: T;
    try {
      result = await work(transaction);
    } catch (error) {
      // The rollback only frees the server earlier: what `work` threw is what the caller needs to see.
      await this.rpc
        .call(DATASTORE_SERVICE, 'rollback', { transaction: begun.transaction } satisfies RollbackRequest)
        .catch(() => undefined);
      throw error;
    }
    await this.#commit({ mutations: transaction.mutations, transaction: begun.transaction });
    return result;
  }

  async #commitOne(mutation: WireMutation, key: DatastoreKey): Promise<DatastoreKey> {
    const [result] = (await this.#commit({ mutations: [mutation] })).results;
    return result?.key ? DatastoreKey.from(decodeKey(result.key)) : key;
  }

  async #commit(request: CommitRequest): Promise<CommitResponse> {
    return (await this.rpc.call(DATASTORE_SERVICE, 'commit', request)) as CommitResponse;
  }
}

function readTimeOf({ readTime }: ReadOptions): { readTime?: bigint } {
  if (readTime === undefined) return {};
  if (!(readTime instanceof Date) || Number.isNaN(readTime.getTime()))
    throw new PlatformError('DS_INVALID', 'readTime is not a valid Date');
  return { readTime: BigInt(readTime.getTime()) * 1_000n };
}

function keyFromPath(path: readonly (string | number | bigint)[], namespace: string): DatastoreKey {
  const elements = [];
  for (let index = 0; index < path.length; index += 2) {
    const kind = path[index];
    const identifier = path[index + 1];
    if (typeof kind !== 'string')
      throw new PlatformError('DS_INVALID', `a key's kinds are strings, found ${typeof kind} at place ${index + 1}`);
    if (identifier === undefined) elements.push({ kind });
    else if (typeof identifier === 'string') elements.push({ kind, name: identifier });
    else if (typeof identifier === 'bigint' || Number.isSafeInteger(identifier)) elements.push({ kind, id: BigInt(identifier) });
    else throw new PlatformError('DS_INVALID', `an id is a whole number, found ${identifier}`);
  }
  return new DatastoreKey(elements, { namespace });
}

function keyBytes(key: DatastoreKey): Buffer {
  if (!(key instanceof DatastoreKey)) throw new PlatformError('DS_INVALID', 'want a key, as `datastore.key(…)` makes it');
  return encodeKey(key);
}

function entityBytes(entity: AppEntity): Buffer {
  return encodeEntity({ key: entity.key, properties: propertiesFromNatural(entity.properties, entity.unindexed ?? []) });
}

function gqlArguments(args: GqlArguments): {
  named: Record<string, WireGqlArgument>;
  positional: WireGqlArgument[];
} {
  if (Array.isArray(args)) return { named: {}, positional: args.map((item, index) => gqlArgument(item, String(index + 1))) };
  return { named: Object.fromEntries(Object.entries(args).map(([name, item]) => [name, gqlArgument(item, name)])), positional: [] };
}

function gqlArgument(item: unknown, name: string): WireGqlArgument {
  if (item instanceof Cursor) return { cursor: item.bytes };
  return { value: encodeValue(valueFromNatural(item, `@${name}`)) };
}
