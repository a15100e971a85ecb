import { describe, expect, it } from 'vitest';
import { defaultMemoryBudget, MemoryBudget, type MemoryUse } from './memory-budget.ts';

const MiB = 1024 * 1024;
const F1 = 384 * MiB;

const idleF1: MemoryUse = { memoryBytesMax: F1, memoryBytes: 40 * MiB };
const many = (count: number, use: MemoryUse): MemoryUse[] => Array.from({ length: count }, () => use);

const admits = (budget: MemoryBudget, memoryBytesMax: number, present: readonly MemoryUse[]): boolean => {
  try {
    budget.admit(memoryBytesMax, present);
    return true;
  } catch {
    return false;
  }
};

describe('defaultMemoryBudget', () => {
  it.each([
    [1, 409.6],
    [2, 1_331.2],
    [4, 3_174.4],
    [16, 14_233.6],
  ])('of a machine of %i GiB leaves the rest to the platform', (gibibytes, wantMiB) => {
    expect(defaultMemoryBudget(gibibytes * 1024 * MiB) / MiB).toBeCloseTo(wantMiB, 0);
  });

  it('lets one F1 run on the smallest', () => {
    expect(admits(new MemoryBudget(defaultMemoryBudget(512 * MiB)), F1, [])).toBe(true);
  });
});

describe('MemoryBudget', () => {
  const budget = new MemoryBudget(1_331 * MiB);

  it('holds a new instance to its whole limit, and those there to their use and a quarter of what they may still take', () => {
    // An idle F1 counts 40 + 344 / 4 = 126 MiB: 7 × 126 + 384 = 1266.
    expect(admits(budget, F1, many(7, idleF1))).toBe(true);
    expect(admits(budget, F1, many(8, idleF1))).toBe(false);
  });

  it('counts what is really used', () => {
    expect(admits(budget, F1, many(3, { memoryBytesMax: F1, memoryBytes: 300 * MiB }))).toBe(false);
    expect(admits(budget, F1, many(2, { memoryBytesMax: F1, memoryBytes: 300 * MiB }))).toBe(true);
  });

  it('counts those that have just started, of which nothing was read', () => {
    expect(admits(budget, F1, many(9, { memoryBytesMax: F1 }))).toBe(true);
    expect(admits(budget, F1, many(10, { memoryBytesMax: F1 }))).toBe(false);
  });

  it('says what is missing', () => {
    expect(() => budget.admit(3_072 * MiB, [idleF1])).toThrow(/it needs 3,072 MiB, and 1,205 MiB of 1,331 MiB for apps are free/);
  });

  it('is pressed once nine tenths are in use, whatever is kept free', () => {
    expect(budget.isPressed(many(20, idleF1))).toBe(false);
    expect(budget.isPressed(many(4, { memoryBytesMax: F1, memoryBytes: 300 * MiB }))).toBe(true);
  });

  it('tells its state', () => {
    expect(budget.state(many(2, idleF1))).toEqual({ budgetBytes: 1_331 * MiB, usedBytes: 80 * MiB, committedBytes: 252 * MiB });
  });
});
