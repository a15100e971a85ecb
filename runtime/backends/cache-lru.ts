// The cache in this process's memory: a share of bytes for each app, least recently used first out. All of it goes with
// the process, which a cache may do.
import { LRUCache } from 'lru-cache';
import {
  type CacheIncrementOutcome,
  type CachePolicy,
  type CacheStatistics,
  type CacheStoreOutcome,
} from '../../sdk/contract/services/memcache.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { changed, decideStore, unsignedOf } from '../services/cache-rules.ts';
import { type Cache, type CacheIncrement, type CacheItem, type CacheScope, type CacheWrite } from '../services/cache.ts';

export interface LruCacheOptions {
  readonly appBytesMax: number;
  /** All apps together. */
  readonly bytesMax: number;
}

/** What keeping one small item takes of Node 20's heap, measured with 200,000 of them: 700 to 740 bytes. */
const KEEPING_BYTES = 750;
const MICROS_PER_MS = 1_000;
const NEVER = Infinity;

interface Entry {
  /** Absent: a lock, that keeps its key from being added. */
  readonly item: CacheItem | undefined;
  readonly expiresAtMonotonicMs: number;
  readonly bytes: number;
  usedAtMs: number;
}

interface AppCache {
  readonly entries: LRUCache<string, Entry>;
  locks: number;
  hits: number;
  misses: number;
  byteHits: number;
}

export class LruCache implements Cache {
  readonly #clock: Clock;
  readonly #options: LruCacheOptions;
  readonly #apps = new Map<string, AppCache>();
  #bytes = 0;
  /** Begins at the microseconds of the start and grows slower than they do, so that no id comes back after a restart. */
  #lastCasId: number;

  constructor(clock: Clock, options: LruCacheOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#lastCasId = Math.floor(clock.nowMs()) * MICROS_PER_MS;
  }

  get(scope: CacheScope, keys: readonly string[], { peek = false } = {}): Promise<readonly (CacheItem | undefined)[]> {
    const app = this.#apps.get(scope.appId) ?? this.#open(scope.appId);
    const nowMs = this.#clock.monotonicMs();
    const found = keys.map((key) => {
      const entry = this.#alive(app, fullKey(scope, key), nowMs, peek);
      if (peek) return entry?.item;
      if (!entry?.item) {
        app.misses++;
        return undefined;
      }
      entry.usedAtMs = nowMs;
      app.hits++;
      app.byteHits += entry.item.value.length;
      return entry.item;
    });
    return Promise.resolve(found);
  }

  store(scope: CacheScope, policy: CachePolicy, items: readonly CacheWrite[]): Promise<readonly CacheStoreOutcome[]> {
    const app = this.#open(scope.appId);
    const nowMs = this.#clock.monotonicMs();
    const outcomes = items.map(({ key, value, flags, lifeMs, casId }) => {
      const name = fullKey(scope, key);
      const found = this.#alive(app, name, nowMs, true);
      const outcome = decideStore(policy, found?.item, { isLocked: found !== undefined && !found.item, casId });
      if (outcome !== 'stored') return outcome;
      if (lifeMs <= 0) app.entries.delete(name);
      else this.#put(app, name, { value, flags, expiresAtMonotonicMs: lifeMs === NEVER ? NEVER : nowMs + lifeMs }, nowMs);
      return outcome;
    });
    return Promise.resolve(outcomes);
  }

  delete(scope: CacheScope, keys: readonly string[], { lockMs }: { readonly lockMs: number }): Promise<readonly boolean[]> {
    const app = this.#open(scope.appId);
    const nowMs = this.#clock.monotonicMs();
    const outcomes = keys.map((key) => {
      const name = fullKey(scope, key);
      const found = this.#alive(app, name, nowMs, true);
      if (lockMs > 0) this.#lock(app, name, nowMs + lockMs, nowMs);
      else if (found?.item) app.entries.delete(name);
      return found?.item !== undefined;
    });
    return Promise.resolve(outcomes);
  }

  increment(scope: CacheScope, items: readonly CacheIncrement[]): Promise<readonly CacheIncrementOutcome[]> {
    const app = this.#open(scope.appId);
    const nowMs = this.#clock.monotonicMs();
    const outcomes = items.map(({ key, delta, isDecrement, initial }) => {
      const name = fullKey(scope, key);
      const item = this.#alive(app, name, nowMs, true)?.item;
      if (!item && !initial) return null;
      const before = item ? unsignedOf(item.value) : initial?.value;
      if (before === undefined) return 'not-a-number';
      const after = changed(before, delta, isDecrement);
      const flags = item?.flags ?? initial?.flags ?? 0;
      this.#put(app, name, { value: Buffer.from(String(after)), flags, expiresAtMonotonicMs: item?.expiresAtMonotonicMs ?? NEVER }, nowMs);
      return after;
    });
    return Promise.resolve(outcomes);
  }

  flush(appId: string): Promise<void> {
    const app = this.#apps.get(appId);
    app?.entries.clear();
    this.#apps.delete(appId);
    return Promise.resolve();
  }

  statistics(appId: string): Promise<CacheStatistics> {
    const app = this.#open(appId);
    const { entries, locks, hits, misses, byteHits } = app;
    const oldest = oldestItem(entries);
    return Promise.resolve({
      ...{ hits, misses, byteHits, items: entries.size - locks, bytes: entries.calculatedSize, bytesMax: this.#options.appBytesMax },
      oldestItemAgeMs: oldest ? Math.max(0, Math.round(this.#clock.monotonicMs() - oldest.usedAtMs)) : 0,
    });
  }

  #open(appId: string): AppCache {
    const open = this.#apps.get(appId);
    if (open) return open;
    const app: AppCache = {
      ...{ locks: 0, hits: 0, misses: 0, byteHits: 0 },
      entries: new LRUCache<string, Entry>({
        maxSize: this.#options.appBytesMax,
        sizeCalculation: ({ bytes }) => bytes,
        dispose: (entry) => {
          this.#bytes -= entry.bytes;
          if (!entry.item) app.locks--;
        },
      }),
    };
    this.#apps.set(appId, app);
    return app;
  }

  /** What has expired is gone: it is removed when it is met, and else when it is the least recently used. */
  #alive(app: AppCache, name: string, nowMs: number, peek: boolean): Entry | undefined {
    const entry = peek ? app.entries.peek(name) : app.entries.get(name);
    if (!entry || entry.expiresAtMonotonicMs > nowMs) return entry;
    app.entries.delete(name);
    return undefined;
  }

  #put(app: AppCache, name: string, item: Omit<CacheItem, 'casId'>, nowMs: number): void {
    // A copy of its own: what came over a socket is a view of a read buffer, which one cached byte would keep alive.
    const value = Buffer.allocUnsafeSlow(item.value.length);
    value.set(item.value);
    const bytes = name.length + value.length + KEEPING_BYTES;
    const { expiresAtMonotonicMs } = item;
    this.#add(app, name, { item: { ...item, value, casId: ++this.#lastCasId }, expiresAtMonotonicMs, bytes, usedAtMs: nowMs });
  }

  #lock(app: AppCache, name: string, expiresAtMonotonicMs: number, nowMs: number): void {
    this.#add(app, name, { item: undefined, expiresAtMonotonicMs, bytes: name.length + KEEPING_BYTES, usedAtMs: nowMs });
  }

  #add(app: AppCache, name: string, entry: Entry): void {
    if (entry.bytes > this.#options.appBytesMax) {
      app.entries.delete(name);
      return;
    }
    app.entries.set(name, entry);
    this.#bytes += entry.bytes;
    if (!entry.item) app.locks++;
    while (this.#bytes > this.#options.bytesMax) this.#largest()?.entries.pop();
  }

  /** The app that holds most gives way, so that no app can push out one that holds less. */
  #largest(): AppCache | undefined {
    let largest: AppCache | undefined;
    for (const app of this.#apps.values()) {
      if (!largest || app.entries.calculatedSize > largest.entries.calculatedSize) largest = app;
    }
    return largest;
  }
}

/** Neither a namespace nor a key contains a line feed. */
const fullKey = ({ namespace }: CacheScope, key: string): string => `${namespace}\n${key}`;

function oldestItem(entries: LRUCache<string, Entry>): Entry | undefined {
  for (const entry of entries.rvalues()) if (entry?.item) return entry;
  return undefined;
}
