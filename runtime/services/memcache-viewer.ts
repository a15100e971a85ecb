// An app's cache as its owner sees it: the port of the console's memcache pages.
import { type MemcacheApi } from '../../admin-console/ports.ts';
import { cacheKeyOf, type CacheValue, decodeCacheValue, encodeCacheValue } from '../../sdk/client/memcache-value.ts';
import { type MemcacheEntryView, type MemcacheEntryWrite, type MemcacheStatsView } from '../../sdk/contract/admin/data.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { type Cache, type CacheItem } from './cache.ts';
import { checkCacheKey, writeOf } from './memcache.ts';

export class MemcacheViewer implements MemcacheApi {
  readonly #cache: Cache;
  readonly #clock: Clock;

  constructor(cache: Cache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  statistics(appId: string): Promise<MemcacheStatsView> {
    return this.#cache.statistics(appId);
  }

  async entry(appId: string, namespace: string, key: string): Promise<MemcacheEntryView> {
    const name = cacheKeyOf(key);
    checkCacheKey(name);
    // Looking counts as nothing: the owner's curiosity must not change what the app sees.
    const [item] = await this.#cache.get({ appId, namespace }, [name], { peek: true });
    if (!item) throw new PlatformError('NOT_FOUND', `the cache holds no "${key}" in namespace "${namespace}"`);
    const { expiresAtMonotonicMs } = item;
    const leftMs = expiresAtMonotonicMs - this.#clock.monotonicMs();
    return {
      ...{ namespace, key, ...readable(item), bytes: item.value.length },
      ...(leftMs === Infinity ? {} : { expiresAtMs: Math.round(this.#clock.nowMs() + leftMs) }),
    };
  }

  async setEntry(appId: string, { namespace, key, value, expirationSeconds }: MemcacheEntryWrite): Promise<MemcacheEntryView> {
    const item = { key: cacheKeyOf(key), ...encodeCacheValue(value), expirationSeconds };
    await this.#cache.store({ appId, namespace }, 'set', [writeOf(item, this.#clock)]);
    return this.entry(appId, namespace, key);
  }

  async deleteEntry(appId: string, namespace: string, key: string): Promise<void> {
    const name = cacheKeyOf(key);
    checkCacheKey(name);
    await this.#cache.delete({ appId, namespace }, [name], { lockMs: 0 });
  }

  flush(appId: string): Promise<void> {
    return this.#cache.flush(appId);
  }
}

function readable(item: CacheItem): Pick<MemcacheEntryView, 'value' | 'encoding'> {
  const base64 = { value: Buffer.from(item.value).toString('base64'), encoding: 'base64' } as const;
  let value: CacheValue;
  try {
    value = decodeCacheValue(item);
  } catch {
    // Bytes and flags are the app's own: whatever cannot be read is shown as bytes.
    return base64;
  }
  if (value instanceof Uint8Array) return base64;
  if (typeof value === 'string') return { value, encoding: 'text' };
  return { value: typeof value === 'object' ? JSON.stringify(value) : String(value), encoding: 'json' };
}
