import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { RetryBudget, RetryBudgets } from './retry-budget.ts';

/** Retries that are granted before the first that is not. */
const granted = (budget: RetryBudget, nowMs: number): number => {
  let count = 0;
  while (budget.take(nowMs)) count++;
  return count;
};

describe('the retries of one version', () => {
  it('begin with the floor', () => {
    expect(granted(new RetryBudget(0), 0)).toBe(LIMITS.retriesFloor);
  });

  it.each([
    [9, 0],
    [11, 1],
    [101, 10],
    [1_001, LIMITS.retriesSavedMax],
    [100_000, LIMITS.retriesSavedMax],
  ])('after %s requests are %s more', (requests, more) => {
    const budget = new RetryBudget(0);
    granted(budget, 0);
    for (let count = 0; count < requests; count++) budget.earn();
    expect(granted(budget, 0)).toBe(more);
  });

  it.each([
    [999, 0],
    [1_000, 1],
    [3_500, 3],
    [3_600_000, LIMITS.retriesFloor],
  ])('after %s ms without requests are %s, at most the floor', (nowMs, retries) => {
    const budget = new RetryBudget(0);
    granted(budget, 0);
    expect(granted(budget, nowMs)).toBe(retries);
  });

  it('count each part of a second once', () => {
    const budget = new RetryBudget(0);
    granted(budget, 0);
    let count = 0;
    for (let nowMs = 0; nowMs <= 5_000; nowMs += 100) count += granted(budget, nowMs);
    expect(count).toBe(5);
  });

  it('are kept when time passes', () => {
    const budget = new RetryBudget(0);
    for (let count = 0; count < 2_000; count++) budget.earn();
    expect(granted(budget, 60_000)).toBe(LIMITS.retriesSavedMax);
  });
});

it('one version has nothing of another’s', () => {
  const budgets = new RetryBudgets();
  while (budgets.take('crashing', 0));
  expect(budgets.take('crashing', 0)).toBe(false);
  expect(budgets.take('other', 0)).toBe(true);
});
