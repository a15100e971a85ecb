import { describe, expect, it } from 'vitest';
import { decideQuota, type QuotaQuestion } from './decide-quota.ts';
import { QUOTAS_DEFAULT, type QuotaRules } from './quota-policy.ts';

const CPU_HOUR = 4_320_000;
const DAY_ENDS = 1_000_000;
const MINUTE_ENDS = 60_000;

function decide(question: Partial<QuotaQuestion>): string[] {
  const exceeded = decideQuota({
    used: {},
    usedInMinute: {},
    rules: QUOTAS_DEFAULT,
    terms: {
      isBilled: question.isBillingEnabled ?? false,
      free: { cpuMegacycles: 6.5 * CPU_HOUR, mailRecipients: 2_000 },
      prices: { cpuMegacycles: 100_000, mailRecipients: 100 },
    },
    isBillingEnabled: false,
    dailyBudgetMicros: 0,
    dayEndsAtMs: DAY_ENDS,
    minuteEndsAtMs: MINUTE_ENDS,
    ...question,
  });
  return exceeded.map(({ resource, reason, resetsAtMs }) => `${resource} ${reason} ${resetsAtMs === DAY_ENDS ? 'day' : resetsAtMs}`);
}

describe('without billing', () => {
  it.each([
    ['nothing used', {}, []],
    ['just below the quota', { requests: 1_299_999 }, []],
    ['all of it used', { requests: 1_300_000 }, ['requests free day']],
    ['more than all', { cpuMegacycles: 7 * CPU_HOUR }, ['cpuMegacycles free day']],
    ['two at once', { mailRecipients: 2_000, cpuMegacycles: 7 * CPU_HOUR }, ['cpuMegacycles free day', 'mailRecipients free day']],
  ])('%s', (_case, used, expected) => {
    expect(decide({ used })).toEqual(expected);
  });

  it('a minute has a quota of its own, which resets with it', () => {
    expect(decide({ usedInMinute: { mailCalls: 31 } })).toEqual([]);
    expect(decide({ usedInMinute: { mailCalls: 32 } })).toEqual([`mailCalls minute ${MINUTE_ENDS}`]);
  });

  it('a quota of nothing lets nothing pass', () => {
    const rules: QuotaRules = { ...QUOTAS_DEFAULT, mailCalls: { daily: 0 } };
    expect(decide({ rules })).toEqual(['mailCalls free day']);
  });
});

describe('with billing', () => {
  const billed = { isBillingEnabled: true, dailyBudgetMicros: 1_000_000 };

  it.each([
    ['beyond the free quota, within the budget', { cpuMegacycles: 10 * CPU_HOUR }, []],
    ['a moment before the budget is used up', { cpuMegacycles: 16.5 * CPU_HOUR - 44 }, []],
    ['the budget used up', { cpuMegacycles: 16.5 * CPU_HOUR }, ['cpuMegacycles budget day']],
    [
      'the budget used up by mail: what is free of charge goes on',
      { mailRecipients: 12_000, cpuMegacycles: CPU_HOUR },
      ['mailRecipients budget day'],
    ],
    ['what has no price stops at its billed limit', { requests: 43_000_000 }, ['requests limit day']],
    ['and not before', { requests: 42_999_999 }, []],
    ['without a billed limit, what has no price stops where it did', { storedByteHours: 24_000_000_000 }, ['storedByteHours limit day']],
  ])('%s', (_case, used, expected) => {
    expect(decide({ ...billed, used })).toEqual(expected);
  });

  it('no budget is as good as no billing', () => {
    expect(decide({ isBillingEnabled: true, dailyBudgetMicros: 0, used: { cpuMegacycles: 6.5 * CPU_HOUR } })).toEqual([
      'cpuMegacycles budget day',
    ]);
    expect(decide({ isBillingEnabled: true, dailyBudgetMicros: 0, used: { cpuMegacycles: CPU_HOUR } })).toEqual([]);
  });

  it('the limits of a minute are wider', () => {
    expect(decide({ ...billed, usedInMinute: { mailCalls: 4_899 } })).toEqual([]);
    expect(decide({ ...billed, usedInMinute: { mailCalls: 4_900 } })).toEqual([`mailCalls minute ${MINUTE_ENDS}`]);
  });
});

it('says it in words that people read', () => {
  const [quota] = decideQuota({
    used: { cpuMegacycles: 7 * CPU_HOUR },
    usedInMinute: {},
    rules: QUOTAS_DEFAULT,
    terms: { isBilled: false, free: {}, prices: {} },
    isBillingEnabled: false,
    dailyBudgetMicros: 0,
    dayEndsAtMs: DAY_ENDS,
    minuteEndsAtMs: MINUTE_ENDS,
  });
  expect(quota).toMatchObject({ title: 'CPU time', usedText: '7 CPU-hours', limitText: '6.5 CPU-hours' });
});
