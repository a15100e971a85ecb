// Arithmetic on keys as byte strings.
import { type KeyRange } from './port.ts';

const ZERO = Buffer.alloc(1);

/** The smallest key greater than `key`. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, ZERO]);
}

/**
 * The smallest key greater than every key that starts with `prefix`; undefined when there is none, that is when
 * `prefix` is empty or all FF.
 */
export function keyAfterPrefix(prefix: Buffer): Buffer | undefined {
  for (let index = prefix.length - 1; index >= 0; index--) {
    const byte = prefix[index] ?? 0;
    if (byte === 0xff) continue;
    const after = Buffer.from(prefix.subarray(0, index + 1));
    after[index] = byte + 1;
    return after;
  }
  return undefined;
}

/** All keys that start with `prefix`, which must not be empty or all FF. */
export function prefixRange(prefix: Buffer): KeyRange {
  const to = keyAfterPrefix(prefix);
  if (to === undefined) throw new RangeError('this prefix has no upper end');
  return { from: prefix, to };
}

/** The position of the first key of `sorted` that is not below `key`. */
export function lowerBound(sorted: readonly Buffer[], key: Buffer): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = sorted[middle];
    if (candidate && Buffer.compare(candidate, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
