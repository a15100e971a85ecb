// The operator's files of quotas and of prices: text → QuotaPolicy. docs/billing.md is their manual.
import { z } from 'zod';
import { field, matching } from '../../sdk/contract/app-manifest/manifest-fields.ts';
import { checkAgainst, type KnownNames } from '../../sdk/contract/app-manifest/schema-check.ts';
import { type YamlPath, YamlSource } from '../../sdk/contract/app-manifest/yaml-source.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { MEGACYCLES_PER_CPU_SECOND, USAGE_RESOURCES, type UsageResource } from '../../sdk/contract/usage.ts';
import { isTimeZone } from './quota-day.ts';
import { POLICY_DEFAULT, type PriceList, type QuotaPolicy, type QuotaRule } from './quota-policy.ts';

const CPU_UNITS = {
  megacycles: 1,
  'CPU-seconds': MEGACYCLES_PER_CPU_SECOND,
  'CPU-minutes': 60 * MEGACYCLES_PER_CPU_SECOND,
  'CPU-hours': 3_600 * MEGACYCLES_PER_CPU_SECOND,
};
const BYTE_UNITS = { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const TIME_UNITS = { seconds: 1, minutes: 60, hours: 3_600 };
const STORE_UNITS = { 'byte-hours': 1, 'GB-hours': 1e9, 'GB-days': 24e9, 'GB-months': 720e9 };

/** Of a resource that is not listed, amounts are plain counts. */
const UNITS: Partial<Record<UsageResource, Readonly<Record<string, number>>>> = {
  cpuMegacycles: CPU_UNITS,
  incomingBytes: BYTE_UNITS,
  outgoingBytes: BYTE_UNITS,
  urlFetchBytes: BYTE_UNITS,
  instanceSeconds: TIME_UNITS,
  storedByteHours: STORE_UNITS,
};

const AMOUNT = /^(\d{1,16}(?:\.\d{1,6})?)(?: ?([A-Za-z-]+))?$/;

function amountOf(resource: UsageResource): z.ZodType<number, string> {
  const units = UNITS[resource] ?? {};
  const names = Object.keys(units);
  const wanted =
    names.length === 0
      ? 'a whole number such as 1000'
      : `a number with one of the units ${names.join(', ')}, such as "2 ${names.at(-1) ?? ''}"`;
  return field(wanted, (text) => {
    const [, number = '', unit] = AMOUNT.exec(text.replaceAll('_', '')) ?? [];
    const factor = unit === undefined ? 1 : Object.hasOwn(units, unit) ? units[unit] : undefined;
    const amount = Math.round(Number(number) * (factor ?? NaN));
    return number !== '' && Number.isSafeInteger(amount) && (unit !== undefined || Number.isInteger(Number(number))) ? amount : undefined;
  });
}

function ruleOf(resource: UsageResource): z.ZodType<QuotaRule> {
  const amount = amountOf(resource);
  return z
    .strictObject(
      { daily: amount, billed_daily: amount.optional(), per_minute: amount.optional(), billed_per_minute: amount.optional() },
      { error: 'must be a quota, with "daily:"' },
    )
    .refine((rule) => rule.billed_daily === undefined || rule.billed_daily >= rule.daily, {
      path: ['billed_daily'],
      error: 'must not be less than "daily": billing takes nothing away',
    })
    .transform(({ daily, billed_daily, per_minute, billed_per_minute }) => ({
      daily,
      ...(billed_daily === undefined ? {} : { billedDaily: billed_daily }),
      ...(per_minute === undefined ? {} : { minute: per_minute }),
      ...(billed_per_minute === undefined ? {} : { billedMinute: billed_per_minute }),
    }));
}

const RULE_NAMES = ['daily', 'billed_daily', 'per_minute', 'billed_per_minute'];

type Rules = Partial<Record<UsageResource, QuotaRule>>;

const rules = z.strictObject(Object.fromEntries(USAGE_RESOURCES.map((resource) => [resource, ruleOf(resource).optional()])), {
  error: 'must be a mapping of resources to quotas',
}) as unknown as z.ZodType<Rules>;

const MICROS_PER_DOLLAR = 1_000_000;

const dollars = field('a price in US dollars with at most six decimals, such as 0.10', (text) => {
  const [, number] = /^\$?(\d{1,6}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Math.round(Number(number) * MICROS_PER_DOLLAR);
});

const prices = z.strictObject(Object.fromEntries(USAGE_RESOURCES.map((resource) => [resource, dollars.optional()])), {
  error: 'must be a mapping of resources to prices',
}) as unknown as z.ZodType<PriceList>;

const appId = matching('an app id', /^[a-z][a-z0-9-]{0,29}$/);

const quotaFile = z.strictObject(
  {
    time_zone: field('a time zone of the tz database, such as Europe/Berlin', (text) => (isTimeZone(text) ? text : undefined)).optional(),
    quotas: rules.optional(),
    apps: z
      .record(appId, rules, { error: 'must be a mapping of app ids to quotas' })
      .refine((apps) => Object.keys(apps).length <= LIMITS.appsMax, `must name at most ${LIMITS.appsMax} apps`)
      .optional(),
    prices: prices.optional(),
  },
  { error: 'must be a mapping with "quotas", "apps", "prices" or "time_zone"' },
);

const priceFile = z.strictObject({ prices }, { error: 'must be a mapping with "prices"' });

const NAMES: KnownNames = {
  known: (path: YamlPath) => {
    const depth = path[0] === 'apps' ? path.length - 1 : path.length;
    if (path.length === 0) return Object.keys(quotaFile.shape);
    return depth >= 2 ? RULE_NAMES : USAGE_RESOURCES;
  },
  refusal: () => undefined,
};

export interface PolicyFile {
  readonly text: string;
  /** For messages. */
  readonly name: string;
}

/**
 * What the files say, over the defaults: a resource that a file names has that rule or price and no other part of the default
 * one; a file that names prices has all prices. Throws QUOTA_FILE_INVALID with line and column.
 */
export function readQuotaPolicy(files: { readonly quotas?: PolicyFile; readonly prices?: PolicyFile }): QuotaPolicy {
  const quotas = files.quotas ? parse(quotaFile, files.quotas) : {};
  const priced = files.prices ? parse(priceFile, files.prices) : undefined;
  return {
    timeZone: quotas.time_zone ?? POLICY_DEFAULT.timeZone,
    quotas: { ...POLICY_DEFAULT.quotas, ...quotas.quotas },
    apps: quotas.apps ?? {},
    prices: priced?.prices ?? quotas.prices ?? POLICY_DEFAULT.prices,
  };
}

function parse<T>(schema: z.ZodType<T>, { text, name }: PolicyFile): T {
  try {
    const source = new YamlSource(text, name);
    if (source.data === null) throw source.errorAt([], 'the file is empty');
    return checkAgainst(schema, source, NAMES);
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'MANIFEST_INVALID') throw error;
    const reason = error.message.slice(error.row.message.length + 2);
    throw new PlatformError('QUOTA_FILE_INVALID', reason, { details: error.details, cause: error });
  }
}
