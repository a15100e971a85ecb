// When a tablet is cut, where, and when two become one: pure rules, far enough apart that neither follows from the other.

export interface TabletRules {
  /** A tablet with more is cut. */
  readonly splitBytes: number;
  /** Rows read and written; a tablet with more, on average over the last minutes, is cut if that divides its load. */
  readonly rowsPerMinuteMax: number;
  /** After a cut or a merge neither comes again for this long, but for a cut by size. */
  readonly coolDownMs: number;
  /** How long both neighbours must have been cold before they become one. */
  readonly coldMs: number;
}

export interface TabletFacts {
  readonly bytes: number;
  /** Rows read and written, averaged over the last minutes. */
  readonly perMinute: number;
  readonly changedAtMs: number;
  readonly coldSinceMs: number;
}

/** Two that together have more than this part of `splitBytes` stay two: one cut's worth of data must come first. */
const MERGED_BYTES_SHARE = 1 / 4;
const COLD_SHARE = 1 / 100;
/** Keys are sampled from this part of the load on, so that they are there when it is too much. */
const SAMPLED_SHARE = 1 / 2;
const SAMPLED_KEYS_MIN = 64;
/** The smaller side must take at least this part of the load, or a cut changes next to nothing. */
const SMALLER_SIDE_SHARE_MIN = 1 / 5;

export function cutReason(tablet: TabletFacts, rules: TabletRules, nowMs: number): 'bytes' | 'load' | undefined {
  if (tablet.bytes > rules.splitBytes) return 'bytes';
  const isCalm = nowMs - tablet.changedAtMs < rules.coolDownMs || tablet.perMinute <= rules.rowsPerMinuteMax;
  return isCalm ? undefined : 'load';
}

export function isSampled({ perMinute }: Pick<TabletFacts, 'perMinute'>, { rowsPerMinuteMax }: TabletRules): boolean {
  return perMinute > rowsPerMinuteMax * SAMPLED_SHARE;
}

export function isCold({ perMinute }: Pick<TabletFacts, 'perMinute'>, { rowsPerMinuteMax }: TabletRules): boolean {
  return perMinute <= rowsPerMinuteMax * COLD_SHARE;
}

export function shouldMerge(left: TabletFacts, right: TabletFacts, rules: TabletRules, nowMs: number): boolean {
  if (left.bytes + right.bytes > rules.splitBytes * MERGED_BYTES_SHARE) return false;
  return [left, right].every(
    (one) => isCold(one, rules) && nowMs - one.coldSinceMs >= rules.coldMs && nowMs - one.changedAtMs >= rules.coolDownMs,
  );
}

export type LoadCut =
  | { readonly kind: 'few-keys' }
  /** One key takes so much of the load that no cut would help. */
  | { readonly kind: 'one-key' }
  | { readonly kind: 'cut'; readonly at: Buffer; readonly rightShare: number };

/** Where to cut a tablet that starts at `start`, by keys sampled from its accesses: as near their median as cuts differ. */
export function loadCut(start: Buffer, keys: readonly Buffer[]): LoadCut {
  if (keys.length < SAMPLED_KEYS_MIN) return { kind: 'few-keys' };
  const sorted = [...keys].sort((one, other) => Buffer.compare(one, other));
  const median = sorted[sorted.length >> 1];
  if (!median) return { kind: 'few-keys' };
  const below = sorted.findIndex((key) => key.equals(median));
  const behind = sorted.findLastIndex((key) => key.equals(median)) + 1;
  // A cut falls before a key: before the median, or before the next other one.
  const smallerSide = (at: number): number => Math.min(at, sorted.length - at);
  const at = smallerSide(below) >= smallerSide(behind) ? below : behind;
  const key = sorted[at];
  if (!key || Buffer.compare(key, start) <= 0 || smallerSide(at) < sorted.length * SMALLER_SIDE_SHARE_MIN) return { kind: 'one-key' };
  return { kind: 'cut', at: key, rightShare: (sorted.length - at) / sorted.length };
}

/** The part of sampled accesses at or above `at`; a half when nothing is known. */
export function shareAbove(at: Buffer, keys: readonly Buffer[]): number {
  if (keys.length === 0) return 1 / 2;
  return keys.filter((key) => Buffer.compare(key, at) >= 0).length / keys.length;
}
