import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY, type RetryParameters } from '../../../sdk/contract/queue-definition.ts';
import { backoffMs, decideRetry, POSTPONE_MS, type RetryDecision } from './retry-decision.ts';
import { sampleTask } from './sample-task.ts';
import { type CallOutcome } from './task-caller.ts';
import { type Task } from './task.ts';

const rule = (minBackoffSeconds: number, maxBackoffSeconds: number, maxDoublings: number): RetryParameters => ({
  minBackoffSeconds,
  maxBackoffSeconds,
  maxDoublings,
});

describe('backoffMs', () => {
  it.each([
    // App Engine's own example: 10 s, at most 300 s, 3 doublings.
    [rule(10, 300, 3), [10, 20, 40, 80, 160, 240, 300, 300]],
    [rule(10, 200, 0), [10, 20, 30, 40, 50]],
    [rule(0.1, 3_600, 16), [0.1, 0.2, 0.4, 0.8, 1.6]],
    [rule(5, 5, 16), [5, 5, 5]],
    [rule(0, 10, 3), [0, 0, 0]],
  ])('%j', (retry, seconds) => {
    expect(seconds.map((_, index) => backoffMs(index + 1, retry) / 1_000)).toEqual(seconds.map((each): unknown => expect.closeTo(each, 9)));
  });

  it('never falls, and stays within its bounds', () => {
    const rules = fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 100, max: 86_400, noNaN: true }), fc.nat(100));
    fc.assert(
      fc.property(rules, fc.integer({ min: 1, max: 5_000 }), ([min, max, doublings], failures) => {
        const [now, next] = [backoffMs(failures, rule(min, max, doublings)), backoffMs(failures + 1, rule(min, max, doublings))];
        expect(next).toBeGreaterThanOrEqual(now);
        expect(now).toBeGreaterThanOrEqual(min * 1_000);
        expect(next).toBeLessThanOrEqual(max * 1_000);
      }),
    );
  });
});

describe('decideRetry', () => {
  const NOW_MS = 100_000;
  const decide = (outcome: CallOutcome, task: Partial<Task> = {}, retry: RetryParameters = DEFAULT_RETRY): RetryDecision =>
    decideRetry(sampleTask('t', task), outcome, retry, NOW_MS - 10, NOW_MS);

  it.each([200, 201, 204, 299])('%i is done', (status) => {
    expect(decide({ kind: 'answered', status })).toEqual({ kind: 'done' });
  });

  it.each([199, 302, 304, 400, 404, 500, 503])('%i by the app is tried again, and counts as a run', (status) => {
    expect(decide({ kind: 'answered', status })).toMatchObject({
      kind: 'again',
      task: { retries: 1, executions: 1, etaMs: NOW_MS + 100, firstTriedAtMs: NOW_MS - 10, lastStatus: status },
    });
  });

  it.each([
    [{ kind: 'refused', status: 503, code: 'ROUTE_PENDING_TIMEOUT' }, 0],
    [{ kind: 'refused', status: 500, code: 'INSTANCE_EXITED' }, 0],
    [{ kind: 'refused', status: 404, code: 'ROUTE_NOTHING_SERVING' }, 0],
    [{ kind: 'refused', status: 500, code: 'ROUTE_INSTANCE_FAILED' }, 1],
    [{ kind: 'refused', status: 504, code: 'ROUTE_DEADLINE' }, 1],
    [{ kind: 'lost' }, 1],
  ] as const)('%j is a retry, with %i runs', (outcome, executions) => {
    expect(decide(outcome)).toMatchObject({ kind: 'again', task: { retries: 1, executions } });
  });

  it.each([{ kind: 'refused', status: 503, code: 'ROUTE_STARTING' }, { kind: 'unreachable' }] as const)(
    '%j counts as nothing: the platform was not there',
    (outcome) => {
      const retry = { ...DEFAULT_RETRY, retryLimit: 0 };
      expect(decide(outcome, { retries: 5 }, retry)).toEqual({ kind: 'postponed', delayMs: POSTPONE_MS });
    },
  );

  it('forgets the status of an earlier try when there was none', () => {
    const decision = decide({ kind: 'lost' }, { lastStatus: 500, retries: 1, firstTriedAtMs: 7 });
    expect(decision.kind === 'again' && decision.task).toMatchObject({ firstTriedAtMs: 7, lastReason: 'the connection broke' });
    expect(decision.kind === 'again' && 'lastStatus' in decision.task).toBe(false);
  });

  it.each([
    [{ retryLimit: 2 }, { retries: 1 }, 'again'],
    [{ retryLimit: 2 }, { retries: 2 }, 'given-up'],
    [{ retryLimit: 0 }, { retries: 0 }, 'given-up'],
    [{ ageLimitSeconds: 10 }, { retries: 99, firstTriedAtMs: NOW_MS - 9_999 }, 'again'],
    [{ ageLimitSeconds: 10 }, { retries: 0, firstTriedAtMs: NOW_MS - 10_000 }, 'given-up'],
    [{ retryLimit: 2, ageLimitSeconds: 10 }, { retries: 9, firstTriedAtMs: NOW_MS - 1 }, 'again'],
    [{ retryLimit: 2, ageLimitSeconds: 10 }, { retries: 0, firstTriedAtMs: NOW_MS - 99_000 }, 'again'],
    [{ retryLimit: 2, ageLimitSeconds: 10 }, { retries: 2, firstTriedAtMs: NOW_MS - 99_000 }, 'given-up'],
    [{}, { retries: 1_000_000, firstTriedAtMs: 0 }, 'again'],
  ] as const)('with the limits %j a task of %j is %s', (limits, task, kind) => {
    expect(decide({ kind: 'answered', status: 500 }, task, { ...DEFAULT_RETRY, ...limits }).kind).toBe(kind);
  });

  it("prefers the task's own rule to its queue's", () => {
    const own = { ...rule(9, 9, 0), retryLimit: 5 };
    expect(decide({ kind: 'answered', status: 500 }, { retry: own }, { ...DEFAULT_RETRY, retryLimit: 0 })).toMatchObject({
      kind: 'again',
      task: { etaMs: NOW_MS + 9_000 },
    });
  });
});
