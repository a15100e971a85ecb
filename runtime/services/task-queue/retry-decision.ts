// What becomes of a task after a try: pure. Rules: App Engine's (reference, section 2.3).
import { type ErrorCode } from '../../../sdk/contract/errors.ts';
import { type RetryParameters } from '../../../sdk/contract/queue-definition.ts';
import { type CallOutcome } from './task-caller.ts';
import { type Task } from './task.ts';

export type RetryDecision =
  | { readonly kind: 'done' }
  /** The task as it is to be tried at its new ETA. */
  | { readonly kind: 'again'; readonly task: Task }
  | { readonly kind: 'given-up'; readonly task: Task; readonly reason: string }
  /** The platform was not there: nothing happened that counts. */
  | { readonly kind: 'postponed'; readonly delayMs: number };

/** How long to wait for a router that is away or starting. */
export const POSTPONE_MS = 500;

const SECOND_MS = 1_000;

/** The router's own answers before an instance had the request. */
const NOT_RUN: ReadonlySet<ErrorCode> = new Set([
  'ROUTE_UNKNOWN_HOST',
  'ROUTE_NOTHING_SERVING',
  'ROUTE_QUEUE_FULL',
  'ROUTE_PENDING_TIMEOUT',
  'ROUTE_START_FAILED',
  'ROUTE_PATH_RESERVED',
  'ROUTE_BAD_REQUEST',
  'INSTANCE_EXITED',
  'INSTANCE_NEVER_LISTENED',
  'INSTANCE_SPAWN_FAILED',
  'INSTANCE_LIMIT',
  'QUOTA_EXCEEDED',
]);

/** Milliseconds after the `failures`-th failure: doubles `maxDoublings` times, then grows by the last step, up to the longest. */
export function backoffMs(failures: number, { minBackoffSeconds, maxBackoffSeconds, maxDoublings }: RetryParameters): number {
  const doublings = Math.min(failures - 1, maxDoublings);
  const steps = Math.max(1, failures - maxDoublings);
  return Math.min(maxBackoffSeconds, minBackoffSeconds * 2 ** doublings * steps) * SECOND_MS;
}

/** `startedAtMs` and `nowMs` are when the try began and ended. */
export function decideRetry(
  task: Task,
  outcome: CallOutcome,
  queueRetry: RetryParameters,
  startedAtMs: number,
  nowMs: number,
): RetryDecision {
  switch (outcome.kind) {
    case 'answered':
      if (outcome.status >= 200 && outcome.status <= 299) return { kind: 'done' };
      return afterFailure(task, queueRetry, startedAtMs, nowMs, {
        hasRun: true,
        status: outcome.status,
        reason: `the handler answered ${outcome.status}`,
      });
    case 'refused':
      if (outcome.code === 'ROUTE_STARTING') return { kind: 'postponed', delayMs: POSTPONE_MS };
      return afterFailure(task, queueRetry, startedAtMs, nowMs, {
        hasRun: !NOT_RUN.has(outcome.code),
        status: outcome.status,
        reason: outcome.code,
      });
    case 'unreachable':
      return { kind: 'postponed', delayMs: POSTPONE_MS };
    case 'lost':
      return afterFailure(task, queueRetry, startedAtMs, nowMs, { hasRun: true, status: undefined, reason: 'the connection broke' });
  }
}

function afterFailure(
  task: Task,
  queueRetry: RetryParameters,
  startedAtMs: number,
  nowMs: number,
  failure: { readonly hasRun: boolean; readonly status: number | undefined; readonly reason: string },
): RetryDecision {
  const retry = task.retry ?? queueRetry;
  const failures = task.retries + 1;
  const firstTriedAtMs = task.firstTriedAtMs ?? startedAtMs;
  const tried: Task = {
    ...withoutStatus(task),
    retries: failures,
    executions: task.executions + (failure.hasRun ? 1 : 0),
    firstTriedAtMs,
    lastReason: failure.reason,
    ...(failure.status === undefined ? {} : { lastStatus: failure.status }),
    etaMs: nowMs + Math.ceil(backoffMs(failures, retry)),
  };
  const over = limitReached(failures, nowMs - firstTriedAtMs, retry);
  return over === undefined ? { kind: 'again', task: tried } : { kind: 'given-up', task: tried, reason: over };
}

/** The status of an earlier try says nothing of this one. */
function withoutStatus(task: Task): Task {
  const copy: { -readonly [K in keyof Task]: Task[K] } = { ...task };
  delete copy.lastStatus;
  return copy;
}

/** With both limits a task ends only when it is over both (App Engine). */
function limitReached(failures: number, ageMs: number, { retryLimit, ageLimitSeconds }: RetryParameters): string | undefined {
  const isOverRetries = retryLimit !== undefined && failures > retryLimit;
  const isOverAge = ageLimitSeconds !== undefined && ageMs >= ageLimitSeconds * SECOND_MS;
  if (retryLimit === undefined && ageLimitSeconds === undefined) return undefined;
  if (retryLimit !== undefined && !isOverRetries) return undefined;
  if (ageLimitSeconds !== undefined && !isOverAge) return undefined;
  return isOverRetries ? `it failed ${failures} times` : `it is ${Math.round(ageMs / SECOND_MS)} s old`;
}
