// The memcache service: checks what an app sends, and hands it to the cache. The rules are in cache-rules.ts.
// On the hot path: a schema looks at keys and lengths, never at the bytes of values.
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import {
  CACHE_POLICIES,
  type CacheFound,
  type CacheGetAnswer,
  type CacheStoreItem,
  MEMCACHE_SERVICE,
} from '../../sdk/contract/services/memcache.ts';
import { method } from '../../sdk/contract/wire/service.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { type ApiService } from '../api/service-table.ts';
import { type Cache, type CacheScope, type CacheWrite } from './cache.ts';

/** App Engine's sum: a value may have 1 MiB less its key and this. */
const ITEM_OVERHEAD_BYTES = 73;
const MS_PER_SECOND = 1_000;
const SECONDS_MAX = 2 ** 32 - 1;
const UNSIGNED_64_MAX = 2n ** 64n - 1n;
const CONTROL = /[\u0000-\u001f\u007f]/;

const namespace = z.string().regex(/^[0-9A-Za-z._-]{0,100}$/, 'want at most 100 of the characters 0-9 A-Z a-z . _ -');
const batch = <T extends z.ZodType>(item: T): z.ZodArray<T> =>
  z.array(item).max(LIMITS.cacheBatchItemsMax, `at most ${LIMITS.cacheBatchItemsMax} items`);
const keys = batch(z.string());
const flags = z.int().min(0).max(SECONDS_MAX);
const unsigned = z.bigint().min(0n).max(UNSIGNED_64_MAX);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'want bytes');

const getRequest = z.strictObject({ namespace, keys, peek: z.boolean().optional() });
const storeRequest = z.strictObject({
  namespace,
  policy: z.enum(CACHE_POLICIES),
  items: batch(
    z.strictObject({
      ...{ key: z.string(), value: bytes, flags, expirationSeconds: z.int().min(0).max(SECONDS_MAX) },
      casId: z.number().exactOptional(),
    }),
  ),
});
const deleteRequest = z.strictObject({ namespace, keys, lockSeconds: z.number().min(0).max(LIMITS.cacheLockSecondsMax) });
const incrementRequest = z.strictObject({
  namespace,
  items: batch(
    z.strictObject({
      ...{ key: z.string(), delta: unsigned, isDecrement: z.boolean() },
      initial: z.strictObject({ value: unsigned, flags }).exactOptional(),
    }),
  ),
});

/** No deadline of its own: the cache bounds what it does. One megacycle is the least that can be counted. */
export function memcacheApi(cache: Cache, clock: Clock): ApiService {
  return {
    name: MEMCACHE_SERVICE,
    resource: 'memcacheCalls',
    megacyclesPerCall: 1,
    deadlineMs: 0,
    serviceOf: ({ appId }) => ({ name: MEMCACHE_SERVICE, methods: methodsOf(cache, clock, appId) }),
  };
}

function methodsOf(cache: Cache, clock: Clock, appId: string) {
  const scopeOf = (request: { readonly namespace: string }): CacheScope => ({ appId, namespace: request.namespace });
  return {
    get: method(getRequest, async (request) => {
      request.keys.forEach(checkCacheKey);
      return answerOf(await cache.get(scopeOf(request), request.keys, request.peek ? { peek: true } : undefined));
    }),
    store: method(storeRequest, (request) => {
      checkBatch(request.items);
      const writes = request.items.map((item) => writeOf(item, clock));
      return cache.store(scopeOf(request), request.policy, writes);
    }),
    delete: method(deleteRequest, (request) => {
      request.keys.forEach(checkCacheKey);
      return cache.delete(scopeOf(request), request.keys, { lockMs: request.lockSeconds * MS_PER_SECOND });
    }),
    increment: method(incrementRequest, (request) => {
      for (const { key } of request.items) checkCacheKey(key);
      return cache.increment(scopeOf(request), request.items);
    }),
    flush: method(z.strictObject({}), async () => {
      await cache.flush(appId);
      return {};
    }),
    statistics: method(z.strictObject({}), () => cache.statistics(appId)),
  };
}

/** Its length in bytes. Throws CACHE_KEY_INVALID. */
export function checkCacheKey(key: string): number {
  const length = Buffer.byteLength(key);
  if (length === 0) throw new PlatformError('CACHE_KEY_INVALID', 'it is empty');
  if (length > LIMITS.cacheKeyBytesMax) {
    throw new PlatformError('CACHE_KEY_INVALID', `it has ${length} bytes, at most ${LIMITS.cacheKeyBytesMax}`);
  }
  if (CONTROL.test(key)) throw new PlatformError('CACHE_KEY_INVALID', `${JSON.stringify(key)} contains a control character`);
  return length;
}

/** Throws CACHE_KEY_INVALID or CACHE_VALUE_TOO_LARGE. */
export function writeOf({ key, value, flags, expirationSeconds, casId }: CacheStoreItem, clock: Clock): CacheWrite {
  const valueBytesMax = LIMITS.cacheItemBytesMax - checkCacheKey(key) - ITEM_OVERHEAD_BYTES;
  if (value.length > valueBytesMax) {
    const reason = `"${key}" has ${value.length} bytes, at most ${valueBytesMax} beside its key`;
    throw new PlatformError('CACHE_VALUE_TOO_LARGE', reason, { details: { key } });
  }
  return { key, value, flags, lifeMs: lifeMsOf(expirationSeconds, clock), ...(casId === undefined ? {} : { casId }) };
}

function lifeMsOf(expirationSeconds: number, clock: Clock): number {
  if (expirationSeconds === 0) return Infinity;
  if (expirationSeconds <= LIMITS.cacheRelativeSecondsMax) return expirationSeconds * MS_PER_SECOND;
  return expirationSeconds * MS_PER_SECOND - clock.nowMs();
}

function checkBatch(items: readonly { readonly key: string; readonly value: Uint8Array }[]): void {
  let total = 0;
  for (const { key, value } of items) total += key.length + value.length;
  if (total > LIMITS.cacheBatchBytesMax) {
    throw new PlatformError('CACHE_VALUE_TOO_LARGE', `the batch has ${total} bytes, at most ${LIMITS.cacheBatchBytesMax}`);
  }
}

/** As many as fit one answer, and at least one. */
function answerOf(found: readonly (CacheFound | undefined)[]): CacheGetAnswer {
  const answer: (CacheFound | null)[] = [];
  let total = 0;
  for (const item of found) {
    total += item?.value.length ?? 0;
    if (total > LIMITS.cacheBatchBytesMax && answer.length > 0) break;
    answer.push(item ? { value: item.value, flags: item.flags, casId: item.casId } : null);
  }
  return answer;
}
