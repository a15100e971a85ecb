// What an app caches, as the bytes and the flag of sdk/contract/services/memcache.ts.
import { createHash } from 'node:crypto';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { CACHE_FLAGS } from '../contract/services/memcache.ts';

/** Objects and lists become JSON and lose what JSON loses. A Uint8Array comes back as a Buffer. */
export type CacheValue = string | number | bigint | boolean | null | Uint8Array | readonly unknown[] | object;

export interface EncodedValue {
  readonly value: Uint8Array;
  readonly flags: number;
}

/** Throws INVALID_ARGUMENT for undefined, functions, symbols, and what JSON cannot hold. */
export function encodeCacheValue(value: CacheValue): EncodedValue {
  if (value instanceof Uint8Array) return { value, flags: CACHE_FLAGS.bytes };
  if (typeof value === 'number') return text(numberText(value), CACHE_FLAGS.number);
  if (typeof value === 'boolean') return text(value ? '1' : '0', CACHE_FLAGS.boolean);
  if (typeof value === 'string') return text(value, CACHE_FLAGS.text);
  if (typeof value === 'bigint') return text(String(value), CACHE_FLAGS.bigint);
  return text(jsonText(value), CACHE_FLAGS.json);
}

/** Throws INVALID_ARGUMENT for a flag of another client. */
export function decodeCacheValue({ value, flags }: EncodedValue): CacheValue {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  switch (flags) {
    case CACHE_FLAGS.bytes:
      // A copy: what came over the socket is a view of a read buffer.
      return Buffer.from(bytes);
    case CACHE_FLAGS.text:
      return bytes.toString('utf8');
    case CACHE_FLAGS.number:
      return numberOf(bytes.toString('latin1'));
    case CACHE_FLAGS.bigint:
      return BigInt(bytes.toString('latin1'));
    case CACHE_FLAGS.boolean:
      return bytes.toString('latin1') === '1';
    case CACHE_FLAGS.json:
      return JSON.parse(bytes.toString('utf8')) as CacheValue;
    default:
      throw new PlatformError('INVALID_ARGUMENT', `the cached value has the flag ${flags}, which this client does not know`);
  }
}

/** Keys longer than a key may be are replaced by their SHA-256, as App Engine's clients do with SHA-1. */
export function cacheKeyOf(key: string): string {
  if (key.length * 3 <= LIMITS.cacheKeyBytesMax || Buffer.byteLength(key) <= LIMITS.cacheKeyBytesMax) return key;
  return createHash('sha256').update(key).digest('hex');
}

const text = (written: string, flags: number): EncodedValue => ({ value: Buffer.from(written), flags });

/** Digits alone are safe integers, so that reading gives back the number that was written. */
function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return Number.isSafeInteger(value) || !Number.isFinite(value) ? String(value) : value.toExponential();
}

/** Digits that no number of ours has come from increments. */
function numberOf(written: string): number | bigint {
  const value = Number(written);
  return !Number.isSafeInteger(value) && /^\d+$/.test(written) ? BigInt(written) : value;
}

function jsonText(value: unknown): string {
  // Its declared type forgets that a function or undefined gives undefined.
  let written: unknown;
  try {
    written = JSON.stringify(value);
  } catch (cause) {
    throw new PlatformError('INVALID_ARGUMENT', `the value cannot be cached: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
  if (typeof written !== 'string') throw new PlatformError('INVALID_ARGUMENT', `a value of type ${typeof value} cannot be cached`);
  return written;
}
