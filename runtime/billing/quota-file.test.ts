import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { USAGE_RESOURCES } from '../../sdk/contract/usage.ts';
import { readQuotaPolicy } from './quota-file.ts';
import { POLICY_DEFAULT, PRICES_DEFAULT, QUOTAS_DEFAULT, rulesOf } from './quota-policy.ts';
import { formatMoney } from './charge.ts';
import { formatAmount, RESOURCE_TERMS } from './resource-terms.ts';

const read = (text: string, prices?: string) =>
  readQuotaPolicy({
    quotas: { text, name: 'quotas.yaml' },
    ...(prices === undefined ? {} : { prices: { text: prices, name: 'prices.yaml' } }),
  });

describe('the file of quotas', () => {
  it('changes what it names and leaves the rest', () => {
    const policy = read(`
time_zone: Europe/Berlin
quotas:
  cpuMegacycles: { daily: 2 CPU-hours, billed_daily: 100 CPU-hours, per_minute: 90 CPU-seconds }
  outgoingBytes: { daily: 1.5 GB }
  requests: { daily: 1_000 }
  instanceSeconds: { daily: 28 hours }
  storedByteHours: { daily: 1 GB-days }
apps:
  shop:
    mailRecipients: { daily: 5, per_minute: 2, billed_per_minute: 8 }
`);
    expect(policy.timeZone).toBe('Europe/Berlin');
    expect(policy.quotas).toEqual({
      ...QUOTAS_DEFAULT,
      cpuMegacycles: { daily: 8_640_000, billedDaily: 432_000_000, minute: 108_000 },
      outgoingBytes: { daily: 1_500_000_000 },
      requests: { daily: 1_000 },
      instanceSeconds: { daily: 100_800 },
      storedByteHours: { daily: 24_000_000_000 },
    });
    expect(rulesOf(policy, 'shop').mailRecipients).toEqual({ daily: 5, minute: 2, billedMinute: 8 });
    expect(rulesOf(policy, 'shop').requests).toEqual({ daily: 1_000 });
    expect(rulesOf(policy, 'blog').mailRecipients).toEqual(QUOTAS_DEFAULT.mailRecipients);
    expect(rulesOf(policy, 'constructor')).toEqual(policy.quotas);
  });

  it('may hold the prices, which then are all there are; a file of prices goes first', () => {
    expect(read('prices: { cpuMegacycles: $0.05, mailRecipients: 0.000001 }').prices).toEqual({ cpuMegacycles: 50_000, mailRecipients: 1 });
    expect(read('prices: { requests: 1 }', 'prices: { cpuMegacycles: 2 }').prices).toEqual({ cpuMegacycles: 2_000_000 });
    expect(readQuotaPolicy({})).toEqual(POLICY_DEFAULT);
  });

  it.each([
    ['', 'line 1, column 1: the file is empty'],
    [
      'quotas:\n  cpuMegacycle: { daily: 1 }',
      'line 2, column 3: unknown element "cpuMegacycle" in "quotas"; did you mean "cpuMegacycles"?',
    ],
    ['quotas:\n  requests:\n    dayly: 1', 'line 3, column 5: unknown element "dayly" in "requests"; did you mean "daily"?'],
    ['quotas:\n  requests: { billed_daily: 1 }', '"daily" is missing'],
    ['quotas:\n  requests: { daily: 1.5 }', 'line 2, column 22: "daily" must be a whole number such as 1000, not "1.5"'],
    ['quotas:\n  requests: { daily: -1 }', '"daily" must be a whole number'],
    ['quotas:\n  requests: { daily: 1 GB }', '"daily" must be a whole number'],
    ['quotas:\n  outgoingBytes: { daily: 1 gigabyte }', 'must be a number with one of the units bytes, kB, MB, GB, TB'],
    ['quotas:\n  requests: { daily: 99999999999999999 }', '"daily" must be a whole number'],
    ['quotas:\n  requests: { daily: 5, billed_daily: 4 }', '"billed_daily" must not be less than "daily"'],
    ['apps:\n  Shop: { requests: { daily: 1 } }', 'quotas.yaml, line 2'],
    ['apps:\n  shop: { request: { daily: 1 } }', 'did you mean "requests"?'],
    ['time_zone: Berlin', 'line 1, column 12: "time_zone" must be a time zone of the tz database'],
    ['prices: { cpuMegacycles: 0.1234567 }', 'at most six decimals'],
    ['prices: { cpuMegacycles: -1 }', 'must be a price'],
    ['limits: {}', 'unknown element "limits"'],
    ['[]', 'must be a mapping'],
    ['quotas: [', 'line 1'],
  ])('is refused with place and reason: %j', (text, reason) => {
    const failure = (() => {
      try {
        read(text);
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(PlatformError);
    expect((failure as PlatformError).code).toBe('QUOTA_FILE_INVALID');
    expect((failure as PlatformError).message).toContain(reason);
    expect((failure as PlatformError).message).toContain('quotas.yaml');
  });
});

describe('docs/billing.md', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'billing.md'), 'utf8');

  it.each(USAGE_RESOURCES)('has the default quota and price of %s', (resource) => {
    const { title, unit } = RESOURCE_TERMS[resource];
    const { daily, billedDaily, minute, billedMinute } = QUOTAS_DEFAULT[resource];
    const cell = (amount: number | undefined): string => (amount === undefined ? '' : formatAmount(resource, amount));
    const price = PRICES_DEFAULT[resource];
    const cells = [
      `\`${resource}\``,
      title,
      cell(daily),
      cell(billedDaily),
      cell(minute),
      cell(billedMinute),
      price === undefined ? '' : `${formatMoney(price)} per ${unit}`,
    ];
    expect(page.replaceAll(/ +\|/g, ' |')).toContain(`| ${cells.join(' | ')} |`.replaceAll(/ +\|/g, ' |'));
  });

  it('shows a file that is read', () => {
    const [, example = ''] = /```yaml\n# quotas\.yaml\n(.*?)```/s.exec(page) ?? [];
    expect(Object.keys(read(example).apps)).toEqual(['shop']);
  });
});
