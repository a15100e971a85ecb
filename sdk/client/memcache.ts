// The cache of one app: fast, shared by all its instances, and allowed to forget anything at any time.
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import {
  CACHE_FLAGS,
  type CacheFound,
  type CacheDeleteRequest,
  type CacheGetAnswer,
  type CacheGetRequest,
  type CacheIncrementItem,
  type CacheIncrementOutcome,
  type CacheIncrementRequest,
  type CachePolicy,
  type CacheStatistics,
  type CacheStoreItem,
  type CacheStoreOutcome,
  type CacheStoreRequest,
  MEMCACHE_SERVICE,
} from '../contract/services/memcache.ts';
import { type Rpc } from '../contract/wire/client.ts';
import { cacheKeyOf, type CacheValue, decodeCacheValue, encodeCacheValue } from './memcache-value.ts';

export interface CacheOptions {
  /** At most 100 of the characters 0-9 A-Z a-z . _ -; items of different namespaces know nothing of each other. */
  readonly namespace?: string;
}

export interface CacheWriteOptions extends CacheOptions {
  /** Whole seconds, rounded up. Absent or 0: until it is pushed out. Beyond 30 days: a time, in seconds since 1970. */
  readonly expirationSeconds?: number;
}

export interface CacheDeleteOptions extends CacheOptions {
  /** How long `add` of the key fails afterwards, so that a slow reader cannot bring back what it read before. */
  readonly lockSeconds?: number;
}

export interface CacheIncrementOptions extends CacheOptions {
  /** What an absent item is taken to be. Without it an absent item stays absent. */
  readonly initial?: number | bigint;
}

/** What `gets` read, for `cas`. */
export interface CacheSnapshot {
  readonly value: CacheValue;
  /** Of this very value: another write of the key has another one. */
  readonly casId: number;
}

interface OutgoingItem {
  /** As the app wrote it. */
  readonly name: string;
  readonly item: CacheStoreItem;
}

/** Long enough for the platform's restart; a cache that is away longer is an empty cache. */
const DEADLINE_MS = 5_000;
const UNREACHABLE: readonly string[] = ['RPC_UNAVAILABLE', 'RPC_CONNECTION_LOST', 'RPC_OVERLOADED', 'DEADLINE_EXCEEDED'];

/**
 * Keys are text of any length without control characters (CACHE_KEY_INVALID). While the platform cannot be reached reads
 * miss and writes answer false; calls whose loss would leave an old value behind (delete, cas, incr, flushAll) throw.
 */
export class Memcache {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Undefined when it is not there. */
  async get(key: string, options: CacheOptions = {}): Promise<CacheValue | undefined> {
    const [found] = await this.#get([cacheKeyOf(key)], options, false);
    return found ? decodeCacheValue(found) : undefined;
  }

  /** Those that are there. */
  async getMulti(keys: readonly string[], options: CacheOptions = {}): Promise<Map<string, CacheValue>> {
    return mapOf(keys, await this.#getAll(keys, options, false), decodeCacheValue);
  }

  /** As `get`, but it neither counts nor makes the item recently used. */
  async peek(key: string, options: CacheOptions = {}): Promise<CacheValue | undefined> {
    const [found] = await this.#get([cacheKeyOf(key)], options, true);
    return found ? decodeCacheValue(found) : undefined;
  }

  /** The value, and what `cas` wants to know that nobody else wrote in between. */
  async gets(key: string, options: CacheOptions = {}): Promise<CacheSnapshot | undefined> {
    const [found] = await this.#get([cacheKeyOf(key)], options, false);
    return found ? snapshotOf(found) : undefined;
  }

  async getsMulti(keys: readonly string[], options: CacheOptions = {}): Promise<Map<string, CacheSnapshot>> {
    return mapOf(keys, await this.#getAll(keys, options, false), snapshotOf);
  }

  /** Whether it was stored. Throws CACHE_VALUE_TOO_LARGE beyond 1 MiB, key and 73 bytes included. */
  async set(key: string, value: CacheValue, options: CacheWriteOptions = {}): Promise<boolean> {
    return this.#storeOne('set', key, value, options);
  }

  /** As `set`, only where there is nothing and no lock. */
  async add(key: string, value: CacheValue, options: CacheWriteOptions = {}): Promise<boolean> {
    return this.#storeOne('add', key, value, options);
  }

  /** As `set`, only where there is something. */
  async replace(key: string, value: CacheValue, options: CacheWriteOptions = {}): Promise<boolean> {
    return this.#storeOne('replace', key, value, options);
  }

  /** As `set`, only where the value is still the one that `gets` read. */
  async cas(key: string, value: CacheValue, casId: number, options: CacheWriteOptions = {}): Promise<boolean> {
    const [outcome] = await this.#store('cas', [outgoing(key, value, options, casId)], options);
    return outcome === 'stored';
  }

  /** By key, what `set` would have answered. The items of one call are not written at one moment. */
  async setMulti(values: Readonly<Record<string, CacheValue>>, options: CacheWriteOptions = {}): Promise<Map<string, boolean>> {
    return this.#storeAll('set', writesOf(values, options), options);
  }

  async addMulti(values: Readonly<Record<string, CacheValue>>, options: CacheWriteOptions = {}): Promise<Map<string, boolean>> {
    return this.#storeAll('add', writesOf(values, options), options);
  }

  async replaceMulti(values: Readonly<Record<string, CacheValue>>, options: CacheWriteOptions = {}): Promise<Map<string, boolean>> {
    return this.#storeAll('replace', writesOf(values, options), options);
  }

  /** Each item with the `casId` that `getsMulti` gave. */
  async casMulti(items: Readonly<Record<string, CacheSnapshot>>, options: CacheWriteOptions = {}): Promise<Map<string, boolean>> {
    const writes = Object.entries(items).map(([key, { value, casId }]) => outgoing(key, value, options, casId));
    return this.#storeAll('cas', writes, options);
  }

  /** Whether it was there. */
  async delete(key: string, options: CacheDeleteOptions = {}): Promise<boolean> {
    return (await this.deleteMulti([key], options)).get(key) ?? false;
  }

  async deleteMulti(keys: readonly string[], options: CacheDeleteOptions = {}): Promise<Map<string, boolean>> {
    const { namespace = '', lockSeconds = 0 } = options;
    const outcomes = new Map<string, boolean>();
    for (const part of partsOf([...new Set(keys)])) {
      const request: CacheDeleteRequest = { namespace, keys: part.map(cacheKeyOf), lockSeconds };
      const answer = await this.#call<readonly boolean[]>('delete', request);
      part.forEach((key, index) => outcomes.set(key, answer[index] ?? false));
    }
    return outcomes;
  }

  /**
   * Adds to a whole number of at most 64 bits, unsigned: beyond 2^64 it begins again at 0. The new value, as a bigint where a number
   * would not be exact; undefined when there is none. Throws CACHE_NOT_A_NUMBER. Text of digits counts as a number.
   */
  async incr(key: string, delta: number | bigint = 1, options: CacheIncrementOptions = {}): Promise<number | bigint | undefined> {
    return (await this.incrMulti({ [key]: delta }, options)).get(key);
  }

  /** As `incr`, but downwards, and it stops at 0. */
  async decr(key: string, delta: number | bigint = 1, options: CacheIncrementOptions = {}): Promise<number | bigint | undefined> {
    return this.incr(key, -wholeNumber(delta), options);
  }

  /** Deltas by key; negative ones go down. Where an item is not a number it throws, after all others were changed. */
  async incrMulti(
    deltas: Readonly<Record<string, number | bigint>>,
    options: CacheIncrementOptions = {},
  ): Promise<Map<string, number | bigint | undefined>> {
    const { namespace = '', initial } = options;
    const outcomes = new Map<string, number | bigint | undefined>();
    const refused: string[] = [];
    for (const part of partsOf(Object.entries(deltas))) {
      const request: CacheIncrementRequest = {
        namespace,
        items: part.map(([key, delta]) => incrementItem(key, wholeNumber(delta), initial)),
      };
      const answer = await this.#call<readonly CacheIncrementOutcome[]>('increment', request);
      part.forEach(([key], index) => {
        const outcome = answer[index] ?? null;
        if (outcome === 'not-a-number') refused.push(key);
        else outcomes.set(key, outcome === null ? undefined : naturalNumber(outcome));
      });
    }
    if (refused.length > 0) {
      throw new PlatformError('CACHE_NOT_A_NUMBER', refused.map((key) => `"${key}"`).join(', '), { details: { keys: refused } });
    }
    return outcomes;
  }

  /** Empties the whole cache of the app, all namespaces. */
  async flushAll(): Promise<void> {
    await this.#call('flush', {});
  }

  /** Of the whole app, since the platform started or the cache was flushed. */
  async statistics(): Promise<CacheStatistics> {
    return this.#call<CacheStatistics>('statistics', {}, true);
  }

  async #storeOne(policy: CachePolicy, key: string, value: CacheValue, options: CacheWriteOptions): Promise<boolean> {
    const [outcome] = await this.#store(policy, [outgoing(key, value, options)], options);
    return outcome === 'stored';
  }

  async #storeAll(policy: CachePolicy, items: readonly OutgoingItem[], options: CacheOptions): Promise<Map<string, boolean>> {
    const outcomes = new Map<string, boolean>();
    for (const part of partsOf(items, ({ item }) => item.key.length + item.value.length)) {
      const answer = await this.#store(policy, part, options);
      part.forEach(({ name }, index) => outcomes.set(name, answer[index] === 'stored'));
    }
    return outcomes;
  }

  async #store(
    policy: CachePolicy,
    items: readonly OutgoingItem[],
    { namespace = '' }: CacheOptions,
  ): Promise<readonly CacheStoreOutcome[]> {
    const request: CacheStoreRequest = { namespace, policy, items: items.map(({ item }) => item) };
    const call = this.#call<readonly CacheStoreOutcome[]>('store', request, policy === 'set');
    return policy === 'cas' ? call : orWhenUnreachable(call, []);
  }

  async #getAll(keys: readonly string[], options: CacheOptions, peek: boolean): Promise<readonly (CacheFound | null)[]> {
    const found: (CacheFound | null)[] = [];
    for (const part of partsOf(keys.map(cacheKeyOf))) {
      for (let left = part; left.length > 0;) {
        const answer = await this.#get(left, options, peek);
        found.push(...answer);
        left = left.slice(Math.max(1, answer.length));
      }
    }
    return found;
  }

  #get(keys: readonly string[], { namespace = '' }: CacheOptions, peek: boolean): Promise<CacheGetAnswer> {
    const request: CacheGetRequest = peek ? { namespace, keys, peek } : { namespace, keys };
    return orWhenUnreachable(
      this.#call<CacheGetAnswer>('get', request, true),
      keys.map(() => null),
    );
  }

  async #call<T>(method: string, payload: object, idempotent = false): Promise<T> {
    return (await this.#rpc.call(MEMCACHE_SERVICE, method, payload, { deadlineMs: DEADLINE_MS, idempotent })) as T;
  }
}

async function orWhenUnreachable<T>(call: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof PlatformError && UNREACHABLE.includes(error.code)) return otherwise;
    throw error;
  }
}

const snapshotOf = (found: CacheFound): CacheSnapshot => ({ value: decodeCacheValue(found), casId: found.casId });

function mapOf<T>(keys: readonly string[], found: readonly (CacheFound | null)[], read: (found: CacheFound) => T): Map<string, T> {
  const values = new Map<string, T>();
  keys.forEach((key, index) => {
    const item = found[index];
    if (item) values.set(key, read(item));
  });
  return values;
}

const writesOf = (values: Readonly<Record<string, CacheValue>>, options: CacheWriteOptions): readonly OutgoingItem[] =>
  Object.entries(values).map(([key, value]) => outgoing(key, value, options));

function outgoing(name: string, value: CacheValue, { expirationSeconds = 0 }: CacheWriteOptions, casId?: number): OutgoingItem {
  const encoded = encodeCacheValue(value);
  if (encoded.value.length > LIMITS.cacheItemBytesMax) {
    // Here already: a value beyond the frame's limit would be refused with less to say.
    throw new PlatformError('CACHE_VALUE_TOO_LARGE', `"${name}" has ${encoded.value.length} bytes, at most ${LIMITS.cacheItemBytesMax}`);
  }
  const item = { key: cacheKeyOf(name), ...encoded, expirationSeconds: Math.ceil(expirationSeconds) };
  return { name, item: casId === undefined ? item : { ...item, casId } };
}

function incrementItem(key: string, delta: bigint, initial: number | bigint | undefined): CacheIncrementItem {
  const isDecrement = delta < 0n;
  const item = { key: cacheKeyOf(key), delta: unsigned(isDecrement ? -delta : delta, 'delta'), isDecrement };
  return initial === undefined
    ? item
    : { ...item, initial: { value: unsigned(wholeNumber(initial), 'initial'), flags: CACHE_FLAGS.number } };
}

function wholeNumber(value: number | bigint): bigint {
  if (typeof value === 'bigint' || Number.isInteger(value)) return BigInt(value);
  throw new PlatformError('INVALID_ARGUMENT', `${value} is not a whole number`);
}

function unsigned(value: bigint, name: string): bigint {
  if (value >= 0n && value < 2n ** 64n) return value;
  throw new PlatformError('INVALID_ARGUMENT', `"${name}" is ${value}, want 0 to 2^64 - 1`);
}

const naturalNumber = (value: bigint): number | bigint => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);

/** As few calls as the limits of one call allow. */
function partsOf<T>(items: readonly T[], bytesOf: (item: T) => number = () => 0): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (part.length >= LIMITS.cacheBatchItemsMax || (bytes > LIMITS.cacheBatchBytesMax && part.length > 0)) {
      parts.push(part);
      part = [];
      bytes = bytesOf(item);
    }
    part.push(item);
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
