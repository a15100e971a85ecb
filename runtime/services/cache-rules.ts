// What a cache decides, as functions of plain data: every adapter uses them (reference, sections 5.2 and 6.12).
import { type CachePolicy, type CacheStoreOutcome } from '../../sdk/contract/services/memcache.ts';

const UNSIGNED_64 = 2n ** 64n;
const DIGITS_MAX = 20;

export function decideStore(
  policy: CachePolicy,
  found: { readonly casId: number } | undefined,
  options: { readonly isLocked: boolean; readonly casId: number | undefined },
): CacheStoreOutcome {
  switch (policy) {
    case 'set':
      return 'stored';
    case 'add':
      return found || options.isLocked ? 'not-stored' : 'stored';
    case 'replace':
      return found ? 'stored' : 'not-stored';
    case 'cas':
      if (!found) return 'not-stored';
      return found.casId === options.casId ? 'stored' : 'exists';
  }
}

/** The unsigned number that the bytes are as decimal text; undefined for anything else. */
export function unsignedOf(value: Uint8Array): bigint | undefined {
  if (value.length === 0 || value.length > DIGITS_MAX) return undefined;
  let text = '';
  for (const byte of value) {
    if (byte < 0x30 || byte > 0x39) return undefined;
    text += String.fromCharCode(byte);
  }
  const number = BigInt(text);
  return number < UNSIGNED_64 ? number : undefined;
}

/** Wraps at 2^64, stops at 0. */
export function changed(value: bigint, delta: bigint, isDecrement: boolean): bigint {
  if (isDecrement) return delta >= value ? 0n : value - delta;
  return (value + delta) % UNSIGNED_64;
}
