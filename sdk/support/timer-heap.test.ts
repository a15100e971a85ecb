import { expect, test } from 'vitest';
import { type HeapTimer, TimerHeap } from './timer-heap.ts';
import { SeededRandom } from './virtual-time.ts';

function drain(heap: TimerHeap<HeapTimer>): HeapTimer[] {
  const taken: HeapTimer[] = [];
  for (let next = heap.peek(); next; next = heap.peek()) {
    taken.push(next);
    heap.pop();
  }
  return taken;
}

test.each([1, 2, 3])('gives timers back by time, then by order of setting, without the cancelled ones, seed %i', (seed) => {
  const random = new SeededRandom(seed);
  const heap = new TimerHeap<HeapTimer>();
  const timers = Array.from({ length: 500 }, (_, order) => ({ dueMs: Math.floor(random.fraction() * 50), order, isCancelled: false }));
  for (const timer of timers) heap.push(timer);
  // Most of them, so that the heap is built anew on the way.
  const cancelled = new Set(timers.filter(() => random.fraction() < 0.7));
  for (const timer of cancelled) heap.cancel(timer);
  for (const timer of cancelled) heap.cancel(timer);
  const left = timers.filter((timer) => !cancelled.has(timer)).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
  expect(drain(heap)).toEqual(left);
});
