// How many of a queue's tasks may start now, and when to look again: pure. A token bucket (`rate`, `bucket_size`) bounds
// the rate, `max_concurrent_requests` and the platform's own places what runs at once.

/** Tokens at a monotonic time. */
export interface TokenBucket {
  readonly tokens: number;
  readonly atMs: number;
}

export interface QueueLoad {
  readonly ratePerSecond: number;
  readonly bucketSize: number;
  readonly concurrentRequestsMax: number;
  readonly isPaused: boolean;
  readonly running: number;
  /** Tasks whose time has come, counted up to what could ever start at once. */
  readonly due: number;
  /** Until the next task that is not due yet; Infinity when there is none. */
  readonly nextDueInMs: number;
  /** Places that the platform has left for tasks of all queues. */
  readonly slots: number;
}

export interface DispatchDecision {
  readonly start: number;
  readonly bucket: TokenBucket;
  /** Infinity: something else wakes the queue (a new task, one that ends, a place that becomes free). */
  readonly lookAgainInMs: number;
  /** Whether only the platform's places keep more tasks from starting. */
  readonly wantsSlot: boolean;
}

const SECOND_MS = 1_000;
/** Rounding must not make a token late for ever. */
const TOKEN_EPSILON = 1e-9;

export function decideDispatch(load: QueueLoad, before: TokenBucket, nowMs: number): DispatchDecision {
  const bucket = refill(before, load, nowMs);
  if (load.isPaused || load.ratePerSecond === 0) return { start: 0, bucket, lookAgainInMs: Infinity, wantsSlot: false };
  const allowed = Math.min(load.due, Math.floor(bucket.tokens + TOKEN_EPSILON), load.concurrentRequestsMax - load.running);
  const start = Math.max(0, Math.min(allowed, load.slots));
  const left: TokenBucket = { tokens: Math.max(0, bucket.tokens - start), atMs: nowMs };
  const wantsSlot = allowed > start;
  if (start === load.due) return { start, bucket: left, lookAgainInMs: load.nextDueInMs, wantsSlot };
  const isShortOfTokens = left.tokens + TOKEN_EPSILON < 1;
  const tokenInMs = ((1 - left.tokens) / load.ratePerSecond) * SECOND_MS;
  return { start, bucket: left, lookAgainInMs: isShortOfTokens ? Math.max(1, tokenInMs) : Infinity, wantsSlot };
}

function refill({ tokens, atMs }: TokenBucket, { ratePerSecond, bucketSize }: QueueLoad, nowMs: number): TokenBucket {
  const added = (Math.max(0, nowMs - atMs) / SECOND_MS) * ratePerSecond;
  return { tokens: Math.min(bucketSize, tokens + added), atMs: nowMs };
}
