import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskWindow } from './task-window.ts';
import { comparePlaces, type TaskPlace } from './task.ts';

const place = (name: string, etaMs: number): TaskPlace => ({ name, etaMs, epoch: 0, isNamed: false });
const never = (): boolean => false;
const names = (places: readonly TaskPlace[]): string[] => places.map(({ name }) => name);

describe('TaskWindow', () => {
  it('gives what is due in the order of ETA, and knows when the next is', () => {
    const window = new TaskWindow(10, { isEmpty: true });
    for (const [name, eta] of [
      ['c', 30],
      ['a', 10],
      ['b', 10],
    ] as const)
      window.add(place(name, eta));
    window.add(place('a', 99));
    expect([window.dueCount(9, 10), window.dueCount(10, 10), window.dueCount(10, 1), window.dueCount(99, 10)]).toEqual([0, 2, 1, 3]);
    expect([window.nextAfterMs(9), window.nextAfterMs(10), window.nextAfterMs(30)]).toEqual([10, 30, Infinity]);
    expect(names(window.take(2))).toEqual(['a', 'b']);
    window.remove('c');
    expect(window.size).toBe(0);
  });

  it('reads pages when it runs low, and takes no task twice', () => {
    const window = new TaskWindow(4, { isEmpty: false });
    expect(window.wantsPage).toBe(true);
    expect(window.beginPage()).toEqual({ after: undefined, limit: 4 });
    expect(window.wantsPage).toBe(false);
    window.add(place('new', 2));
    const page = [place('a', 1), place('new', 2), place('held', 3), place('d', 4)];
    window.endPage(page, ({ name }) => name === 'held');
    expect(window.isComplete).toBe(false);
    window.add(place('later', 5));
    expect(names(window.take(9))).toEqual(['a', 'new', 'd']);
    expect(window.beginPage().after).toEqual(place('d', 4));
    window.endPage([place('later', 5)], never);
    expect(window.isComplete).toBe(true);
    window.add(place('last', 99));
    expect(names(window.take(9))).toEqual(['later', 'last']);
  });

  it('reads the same page again when it could not be read', () => {
    const window = new TaskWindow(4, { isEmpty: false });
    window.beginPage();
    window.add(place('new', 2));
    window.endPage(undefined, never);
    expect([window.size, window.wantsPage, window.beginPage().after]).toEqual([0, true, undefined]);
  });

  it('keeps a bounded number, whatever comes', () => {
    const window = new TaskWindow(4, { isEmpty: true });
    for (let index = 0; index < 100; index++) {
      window.add(place(`t${index}`, 1_000 - index));
      expect(window.size).toBeLessThanOrEqual(8);
    }
    expect(window.isComplete).toBe(false);
    expect(window.take(1)[0]?.name).toBe('t99');
  });

  it('keeps a task that waits for the platform, whatever else is dropped', () => {
    const window = new TaskWindow(2, { isEmpty: true });
    window.add(place('postponed', 0), 5_000);
    for (let index = 0; index < 10; index++) window.add(place(`t${index}`, 10 + index));
    const taken = names(window.take(99));
    expect(taken).toContain('postponed');
  });

  it('loses nothing and doubles nothing against a store, in any order of events', () => {
    const events = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('add' as const), eta: fc.nat(50) }),
        fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 3 }) }),
        fc.constant({ kind: 'begin' as const }),
        fc.constant({ kind: 'end' as const }),
        fc.constant({ kind: 'fail' as const }),
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(events, (list) => {
        const store: TaskPlace[] = [];
        const taken: string[] = [];
        const window = new TaskWindow(5, { isEmpty: true });
        let page: TaskPlace[] | undefined;
        const begin = (): void => {
          const { after, limit } = window.beginPage();
          page = [...store]
            .sort(comparePlaces)
            .filter((each) => !after || comparePlaces(each, after) > 0)
            .slice(0, limit);
        };
        const end = (read: boolean): void => {
          window.endPage(read ? page : undefined, ({ name }) => taken.includes(name));
          page = undefined;
        };
        let count = 0;
        for (const event of list) {
          if (event.kind === 'add') {
            const added = place(`t${count++}`, event.eta);
            store.push(added);
            window.add(added);
          } else if (event.kind === 'take') taken.push(...names(window.take(event.count)));
          else if (event.kind === 'begin' && !page && window.wantsPage) begin();
          else if (event.kind === 'end' && page) end(true);
          else if (event.kind === 'fail' && page) end(false);
        }
        for (let round = 0; round < 200 && (page || window.size > 0 || !window.isComplete); round++) {
          if (page) end(true);
          taken.push(...names(window.take(99)));
          if (window.wantsPage) begin();
        }
        expect(taken.length).toBe(new Set(taken).size);
        expect([...taken].sort()).toEqual(names(store).sort());
      }),
      { numRuns: 500 },
    );
  });
});
