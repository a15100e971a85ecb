import {
  type CacheIncrementOutcome,
  type CachePolicy,
  type CacheStatistics,
  type CacheStoreOutcome,
} from '../../sdk/contract/services/memcache.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { changed, decideStore, unsignedOf } from '../services/cache-rules.ts';
import { type Cache, type CacheIncrement, type CacheItem, type CacheScope, type CacheWrite } from '../services/cache.ts';

/** Twin of the port: a map that forgets nothing by itself, and counts bytes of values alone. */
export class MemoryCache implements Cache {
  readonly #clock: Clock;
  #items = new Map<string, CacheItem & { readonly usedAtMs: number }>();
  #lockedUntilMs = new Map<string, number>();
  #counts = new Map<string, { hits: number; misses: number; byteHits: number }>();
  #casId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(scope: CacheScope, keys: readonly string[], { peek = false } = {}): Promise<readonly (CacheItem | undefined)[]> {
    const counts = this.#counts.get(scope.appId) ?? { hits: 0, misses: 0, byteHits: 0 };
    this.#counts.set(scope.appId, counts);
    const found = keys.map((key) => {
      const name = nameOf(scope, key);
      const item = this.#find(name);
      if (peek) return item;
      counts[item ? 'hits' : 'misses']++;
      counts.byteHits += item?.value.length ?? 0;
      if (item) this.#items.set(name, { ...item, usedAtMs: this.#clock.monotonicMs() });
      return item;
    });
    return Promise.resolve(found);
  }

  store(scope: CacheScope, policy: CachePolicy, items: readonly CacheWrite[]): Promise<readonly CacheStoreOutcome[]> {
    return Promise.resolve(
      items.map(({ key, value, flags, lifeMs, casId }) => {
        const name = nameOf(scope, key);
        const isLocked = (this.#lockedUntilMs.get(name) ?? 0) > this.#clock.monotonicMs();
        const outcome = decideStore(policy, this.#find(name), { isLocked, casId });
        if (outcome === 'stored') this.#put(name, value, flags, this.#clock.monotonicMs() + lifeMs);
        return outcome;
      }),
    );
  }

  delete(scope: CacheScope, keys: readonly string[], { lockMs }: { readonly lockMs: number }): Promise<readonly boolean[]> {
    return Promise.resolve(
      keys.map((key) => {
        const name = nameOf(scope, key);
        const found = this.#find(name);
        this.#items.delete(name);
        if (lockMs > 0) this.#lockedUntilMs.set(name, this.#clock.monotonicMs() + lockMs);
        return found !== undefined;
      }),
    );
  }

  increment(scope: CacheScope, items: readonly CacheIncrement[]): Promise<readonly CacheIncrementOutcome[]> {
    return Promise.resolve(
      items.map(({ key, delta, isDecrement, initial }) => {
        const name = nameOf(scope, key);
        const item = this.#find(name);
        if (!item && !initial) return null;
        const before = item ? unsignedOf(item.value) : initial?.value;
        if (before === undefined) return 'not-a-number';
        const after = changed(before, delta, isDecrement);
        this.#put(name, Buffer.from(String(after)), item?.flags ?? initial?.flags ?? 0, item?.expiresAtMonotonicMs ?? Infinity);
        return after;
      }),
    );
  }

  flush(appId: string): Promise<void> {
    for (const map of [this.#items, this.#lockedUntilMs]) {
      for (const name of map.keys()) if (name.startsWith(`${appId}\n`)) map.delete(name);
    }
    this.#counts.delete(appId);
    return Promise.resolve();
  }

  statistics(appId: string): Promise<CacheStatistics> {
    const items = [...this.#items].filter(([name]) => name.startsWith(`${appId}\n`)).map(([, item]) => item);
    const oldestMs = Math.min(...items.map(({ usedAtMs }) => usedAtMs));
    return Promise.resolve({
      ...(this.#counts.get(appId) ?? { hits: 0, misses: 0, byteHits: 0 }),
      items: items.length,
      bytes: items.reduce((sum, { value }) => sum + value.length, 0),
      bytesMax: Infinity,
      oldestItemAgeMs: items.length === 0 ? 0 : this.#clock.monotonicMs() - oldestMs,
    });
  }

  #find(name: string): CacheItem | undefined {
    const item = this.#items.get(name);
    return item && item.expiresAtMonotonicMs > this.#clock.monotonicMs() ? item : undefined;
  }

  #put(name: string, value: Uint8Array, flags: number, expiresAtMonotonicMs: number): void {
    const usedAtMs = this.#clock.monotonicMs();
    this.#items.set(name, { value: Buffer.from(value), flags, expiresAtMonotonicMs, casId: ++this.#casId, usedAtMs });
    this.#lockedUntilMs.delete(name);
  }
}

const nameOf = ({ appId, namespace }: CacheScope, key: string): string => `${appId}\n${namespace}\n${key}`;
