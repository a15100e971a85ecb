import { describe, expect, it } from 'vitest';
import { decideDispatch, type QueueLoad } from './dispatch-decision.ts';

const load = (changes: Partial<QueueLoad> = {}): QueueLoad => ({
  ratePerSecond: 5,
  bucketSize: 5,
  concurrentRequestsMax: 1_000,
  isPaused: false,
  running: 0,
  due: 10,
  nextDueInMs: Infinity,
  slots: 100,
  ...changes,
});

describe('decideDispatch', () => {
  it.each([
    ['a full bucket at once, then one by one', load(), 5, 5, 200, false],
    ['what is due', load({ due: 2, nextDueInMs: 70 }), 5, 2, 70, false],
    ['nothing that is not due', load({ due: 0, nextDueInMs: 70 }), 5, 0, 70, false],
    ['nothing of an empty bucket', load(), 0, 0, 200, false],
    ['half a token later', load(), 0.5, 0, 100, false],
    ['up to the concurrency', load({ concurrentRequestsMax: 3, running: 1 }), 5, 2, Infinity, false],
    ['nothing beyond the concurrency', load({ concurrentRequestsMax: 3, running: 4 }), 5, 0, Infinity, false],
    ["up to the platform's places", load({ slots: 2 }), 5, 2, Infinity, true],
    ['nothing when there is no place', load({ slots: 0 }), 5, 0, Infinity, true],
    ['nothing when it is paused', load({ isPaused: true }), 5, 0, Infinity, false],
    ['nothing at rate 0', load({ ratePerSecond: 0 }), 5, 0, Infinity, false],
  ] as const)('starts %s', (_, given, tokens, start, lookAgainInMs, wantsSlot) => {
    expect(decideDispatch(given, { tokens, atMs: 1_000 }, 1_000)).toMatchObject({ start, lookAgainInMs, wantsSlot });
  });

  it('fills the bucket with time, up to its size', () => {
    expect(decideDispatch(load({ due: 0 }), { tokens: 0, atMs: 0 }, 300).bucket).toEqual({ tokens: 1.5, atMs: 300 });
    expect(decideDispatch(load({ due: 0 }), { tokens: 0, atMs: 0 }, 60_000).bucket).toEqual({ tokens: 5, atMs: 60_000 });
    expect(decideDispatch(load({ due: 0 }), { tokens: 2, atMs: 500 }, 100).bucket).toEqual({ tokens: 2, atMs: 100 });
  });
});
