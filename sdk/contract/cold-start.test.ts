import { describe, expect, it } from 'vitest';
import { coldStartOf } from './cold-start.ts';

describe('coldStartOf', () => {
  it('tells the phases one after the other', () => {
    expect(coldStartOf({ spawnMs: 5, runtimeMs: 25, loadMs: 80, readyMs: 82 }, 12)).toEqual({
      spawnMs: 5,
      runtimeMs: 20,
      loadMs: 55,
      readyMs: 2,
      firstByteMs: 12,
    });
  });

  it('counts a phase that nobody saw into the next, and leaves it out', () => {
    expect(coldStartOf({ spawnMs: 5, readyMs: 82 }, undefined)).toEqual({ spawnMs: 5, readyMs: 77 });
    expect(coldStartOf({}, 3)).toEqual({ firstByteMs: 3 });
  });

  it('takes no time back when two events are seen out of order', () => {
    expect(coldStartOf({ spawnMs: 30, runtimeMs: 28, loadMs: 60, readyMs: 61 }, undefined)).toEqual({
      spawnMs: 30,
      runtimeMs: 0,
      loadMs: 30,
      readyMs: 1,
    });
  });
});
