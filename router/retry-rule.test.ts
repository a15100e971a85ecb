import { describe, expect, it } from 'vitest';
import { mayRetry, type FailedAttempt } from './retry-rule.ts';

describe('mayRetry', () => {
  const failed: FailedAttempt = {
    code: 'ROUTE_INSTANCE_FAILED',
    method: 'GET',
    hasBody: false,
    wasDelivered: true,
    isResponseStarted: false,
    retries: 0,
    remainingMs: 1,
  };

  it.each<[string, Partial<FailedAttempt>, boolean]>([
    ['a safe request that died', {}, true],
    ['a POST that died', { method: 'POST' }, false],
    ['a POST that was never delivered', { method: 'POST', hasBody: true, wasDelivered: false }, true],
    ['a GET with a body', { hasBody: true }, false],
    ['one whose answer has begun', { isResponseStarted: true, wasDelivered: false }, false],
    ['one that was tried three times', { retries: 2 }, false],
    ['one past its deadline', { remainingMs: 0 }, false],
    ['a malformed answer', { code: 'ROUTE_BAD_RESPONSE' }, false],
    ['a deadline', { code: 'ROUTE_DEADLINE' }, false],
  ])('%s', (_name, change, expected) => expect(mayRetry({ ...failed, ...change })).toBe(expected));
});
