import { expect, test } from 'vitest';
import { sleep } from './clock.ts';
import { SeededRandom, VirtualTime } from './virtual-time.ts';

test('timers fire in order of time, then of setting, and see their own moment', () => {
  const time = new VirtualTime(100);
  const fired: string[] = [];
  time.after(20, () => fired.push(`b@${time.nowMs()}`));
  time.after(10, () => fired.push(`a@${time.nowMs()}`));
  time.after(20, () => fired.push(`c@${time.nowMs()}`));
  const cancel = time.after(15, () => fired.push('never'));
  cancel();
  time.advance(20);
  expect(fired).toEqual(['a@110', 'b@120', 'c@120']);
  expect(time.nowMs()).toBe(120);
});

test('a periodic timer fires until it is cancelled', () => {
  const time = new VirtualTime();
  let count = 0;
  const cancel = time.every(10, () => {
    count++;
    if (count === 3) cancel();
  });
  time.advance(100);
  expect(count).toBe(3);
});

test('sleeping ends at its time or with the abort', async () => {
  const time = new VirtualTime();
  const slept = sleep(time, 50);
  await time.advanceAsync(50);
  await slept;
  const abort = new AbortController();
  const aborted = sleep(time, 50, { signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
});

test('the same seed gives the same chance', () => {
  const [first, second] = [new SeededRandom(7), new SeededRandom(7)];
  expect(Array.from({ length: 10 }, () => first.fraction())).toEqual(Array.from({ length: 10 }, () => second.fraction()));
  expect(new SeededRandom(8).bytes(8)).not.toEqual(new SeededRandom(7).bytes(8));
});
