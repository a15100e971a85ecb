// The payloads of the service `memcache` on an instance's API socket (App Engine: memcache).
//
//   get        GetRequest        → GetAnswer
//   store      StoreRequest      → StoreOutcome[]        in the order of the items
//   delete     DeleteRequest     → boolean[]             whether there was an item
//   increment  IncrementRequest  → IncrementOutcome[]
//   flush      {}                → {}                    the whole app, all namespaces
//   statistics {}                → CacheStatistics
//
// A value is bytes and a flag that says what they mean. The service never looks at the bytes, except that it increments
// decimal text. Flags 0 to 5 are those of App Engine's Python client; 2 is its pickle, which is never written here.
//
//   0 bytes     as they are
//   1 text      UTF-8
//   3 number    safe integers as decimal text (`-12`), others with an exponent (`5e-1`), or NaN, Infinity, -Infinity;
//               digits beyond 2^53 come from increments and are read as a bigint
//   4 bigint    decimal text
//   5 boolean   `1` or `0`
//   6 JSON      UTF-8: null, lists, objects
//
//   worked example: set('n', 5) stores 35 with flag 3; incr('n') makes it 36, still with flag 3

export const MEMCACHE_SERVICE = 'memcache';

export const CACHE_FLAGS = { bytes: 0, text: 1, number: 3, bigint: 4, boolean: 5, json: 6 } as const;

export interface CacheGetRequest {
  readonly namespace: string;
  readonly keys: readonly string[];
  /** Neither counts nor makes the items recently used. */
  readonly peek?: boolean;
}

export interface CacheFound {
  readonly value: Uint8Array;
  readonly flags: number;
  /** Changes with every write of the key, and is never used again. */
  readonly casId: number;
}

/** In the order of the keys, null for a miss. Shorter than the keys when the values are large: ask again for the rest. */
export type CacheGetAnswer = readonly (CacheFound | null)[];

export const CACHE_POLICIES = ['set', 'add', 'replace', 'cas'] as const;
export type CachePolicy = (typeof CACHE_POLICIES)[number];

export interface CacheStoreItem {
  readonly key: string;
  readonly value: Uint8Array;
  readonly flags: number;
  /** Zero: no end. Up to 30 days: from now. Beyond: seconds since 1970. */
  readonly expirationSeconds: number;
  /** For the policy `cas`. */
  readonly casId?: number;
}

export interface CacheStoreRequest {
  readonly namespace: string;
  readonly policy: CachePolicy;
  readonly items: readonly CacheStoreItem[];
}

/** `exists`: another write came between gets and cas. */
export type CacheStoreOutcome = 'stored' | 'not-stored' | 'exists';

export interface CacheDeleteRequest {
  readonly namespace: string;
  readonly keys: readonly string[];
  /** How long `add` of these keys fails afterwards; 0 for not at all. */
  readonly lockSeconds: number;
}

export interface CacheIncrementItem {
  readonly key: string;
  /** Below 2^64. */
  readonly delta: bigint;
  readonly isDecrement: boolean;
  /** What an absent item is taken to be, before the delta. Without it an absent item stays absent. */
  readonly initial?: { readonly value: bigint; readonly flags: number };
}

export interface CacheIncrementRequest {
  readonly namespace: string;
  readonly items: readonly CacheIncrementItem[];
}

/** The new value; null: there is no item; `not-a-number`: it was left as it is. */
export type CacheIncrementOutcome = bigint | null | 'not-a-number';

export interface CacheStatistics {
  readonly hits: number;
  readonly misses: number;
  /** Bytes of values that hits returned. */
  readonly byteHits: number;
  readonly items: number;
  /** Keys, values and what keeping them takes. */
  readonly bytes: number;
  /** The app's share. */
  readonly bytesMax: number;
  /** Since the least recently used item was used; 0 when there is none. */
  readonly oldestItemAgeMs: number;
}
