// Where the memcache service keeps its items. Adapter: ../backends/cache-lru.ts; twin: ../backends/cache-memory.ts.
// A cache may lose anything at any time. It must never answer with what was overwritten, deleted or has expired.
import {
  type CacheFound,
  type CacheIncrementOutcome,
  type CachePolicy,
  type CacheStatistics,
  type CacheStoreOutcome,
} from '../../sdk/contract/services/memcache.ts';

/** Every app has items of its own; a namespace cuts them once more. */
export interface CacheScope {
  readonly appId: string;
  readonly namespace: string;
}

export interface CacheItem extends CacheFound {
  /** Infinity: no end. */
  readonly expiresAtMonotonicMs: number;
}

export interface CacheWrite {
  readonly key: string;
  /** Copied: the caller may do with it what it likes. */
  readonly value: Uint8Array;
  readonly flags: number;
  /** Infinity: no end. Zero or less: it has expired already. */
  readonly lifeMs: number;
  readonly casId?: number;
}

export interface CacheIncrement {
  readonly key: string;
  readonly delta: bigint;
  readonly isDecrement: boolean;
  readonly initial?: { readonly value: bigint; readonly flags: number };
}

/** Each item of a call is dealt with at one moment, one after the other; answers are in the order of what was asked. */
export interface Cache {
  /** Items are the cache's own: not to be written to. */
  get(scope: CacheScope, keys: readonly string[], options?: { readonly peek?: boolean }): Promise<readonly (CacheItem | undefined)[]>;
  store(scope: CacheScope, policy: CachePolicy, items: readonly CacheWrite[]): Promise<readonly CacheStoreOutcome[]>;
  /** Whether there was an item. For `lockMs` from now `add` of the key fails, item or not. */
  delete(scope: CacheScope, keys: readonly string[], options: { readonly lockMs: number }): Promise<readonly boolean[]>;
  increment(scope: CacheScope, items: readonly CacheIncrement[]): Promise<readonly CacheIncrementOutcome[]>;
  /** Items, locks and counts of the whole app. */
  flush(appId: string): Promise<void>;
  statistics(appId: string): Promise<CacheStatistics>;
}
