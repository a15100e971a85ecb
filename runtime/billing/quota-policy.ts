// What apps may use and what it costs: the operator's two files as data, and App Engine's figures as the default.
import { MEGACYCLES_PER_CPU_SECOND, type UsageResource } from '../../sdk/contract/usage.ts';

export interface QuotaRule {
  /** Free of charge each day; where it stops while billing is disabled. */
  readonly daily: number;
  /** Where it stops while billing is enabled. Absent: only the budget ends what has a price; else `daily` still does. */
  readonly billedDaily?: number;
  readonly minute?: number;
  readonly billedMinute?: number;
}

export type QuotaRules = Readonly<Record<UsageResource, QuotaRule>>;

/** Micro-dollars per unit of resource-terms.ts; what has no price costs nothing. */
export type PriceList = Readonly<Partial<Record<UsageResource, number>>>;

export interface QuotaPolicy {
  readonly timeZone: string;
  readonly quotas: QuotaRules;
  /** Rules of single apps, in place of the general ones. */
  readonly apps: Readonly<Record<string, Partial<QuotaRules>>>;
  readonly prices: PriceList;
}

const CPU_MINUTE = 60 * MEGACYCLES_PER_CPU_SECOND;
const CPU_HOUR = 60 * CPU_MINUTE;
const HOUR = 3_600;
const GB = 1_000_000_000;

/**
 * App Engine's, of June 2009 (reference, section 4.4). Its limits per minute on requests, datastore and memcache were dropped in
 * release 1.5.0; the others below are its own. Instance time, 28 hours a day later on, is bounded here only by what a host can
 * run, since CPU is what is billed.
 */
export const QUOTAS_DEFAULT: QuotaRules = {
  cpuMegacycles: { daily: 6.5 * CPU_HOUR, billedDaily: 1_729 * CPU_HOUR, minute: 15 * CPU_MINUTE, billedMinute: 72 * CPU_MINUTE },
  requests: { daily: 1_300_000, billedDaily: 43_000_000 },
  incomingBytes: { daily: GB, billedDaily: 1_046 * GB },
  outgoingBytes: { daily: GB, billedDaily: 1_046 * GB },
  instanceSeconds: { daily: 4_800 * HOUR, billedDaily: 4_800 * HOUR },
  storedByteHours: { daily: 24 * GB },
  datastoreCalls: { daily: 10_000_000, billedDaily: 140_000_000 },
  memcacheCalls: { daily: 8_600_000, billedDaily: 96_000_000 },
  mailCalls: { daily: 7_000, billedDaily: 1_700_000, minute: 32, billedMinute: 4_900 },
  mailRecipients: { daily: 2_000, billedDaily: 7_400_000 },
  imagesCalls: { daily: 864_000, billedDaily: 45_000_000 },
  urlFetchCalls: { daily: 657_000, billedDaily: 46_000_000, minute: 3_000, billedMinute: 32_000 },
  urlFetchBytes: { daily: 4 * GB, billedDaily: 1_046 * GB },
  usersCalls: { daily: 10_000_000, billedDaily: 140_000_000 },
  taskQueueCalls: { daily: 100_000, billedDaily: 1_000_000 },
  identityCalls: { daily: 10_000_000, billedDaily: 140_000_000 },
};

/** App Engine's, of February 2009 (reference, section 4.3). */
export const PRICES_DEFAULT: PriceList = {
  cpuMegacycles: 100_000,
  incomingBytes: 100_000,
  outgoingBytes: 120_000,
  storedByteHours: 150_000,
  mailRecipients: 100,
};

/** App Engine's clock of quotas. */
export const TIME_ZONE_DEFAULT = 'America/Los_Angeles';

export const POLICY_DEFAULT: QuotaPolicy = {
  timeZone: TIME_ZONE_DEFAULT,
  quotas: QUOTAS_DEFAULT,
  apps: {},
  prices: PRICES_DEFAULT,
};

export function rulesOf({ quotas, apps }: QuotaPolicy, appId: string): QuotaRules {
  const own = Object.hasOwn(apps, appId) ? apps[appId] : undefined;
  return own ? { ...quotas, ...own } : quotas;
}
