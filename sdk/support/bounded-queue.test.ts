import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BoundedQueue, type QueueEntry } from './bounded-queue.ts';

test('it behaves as a list with a limit, whatever is done to it', () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('push' as const), value: fc.nat() }),
    fc.record({ act: fc.constant('shift' as const) }),
    fc.record({ act: fc.constant('remove' as const), which: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new BoundedQueue<{ value: number }>(5);
      const model: { value: number }[] = [];
      const entries: { entry: QueueEntry; item: { value: number } }[] = [];
      for (const each of steps) {
        if (each.act === 'push') {
          const item = { value: each.value };
          const entry = queue.push(item);
          expect(entry === undefined).toBe(model.length >= 5);
          if (entry) {
            model.push(item);
            entries.push({ entry, item });
          }
        } else if (each.act === 'shift') expect(queue.shift()).toBe(model.shift());
        else if (entries.length > 0) {
          const { entry, item } = entries[each.which % entries.length]!;
          expect(entry.remove()).toBe(model.includes(item));
          if (model.includes(item)) model.splice(model.indexOf(item), 1);
        }
        expect(queue.length).toBe(model.length);
        expect(queue.peek()).toBe(model[0]);
      }
    }),
  );
});
