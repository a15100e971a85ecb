// What the platform counts about an app. Quotas limit these, billing prices them, docs and console name them.

/**
 * Every amount is a whole number that only grows within a day; the unit is the name's last word.
 * `storedByteHours` is stored bytes times the hours that they lay there.
 */
export const USAGE_RESOURCES = [
  /** 1,200 megacycles are one second of App Engine's 1.2 GHz reference CPU (reference, section 4.2). */
  'cpuMegacycles',
  'requests',
  'incomingBytes',
  'outgoingBytes',
  'instanceSeconds',
  'storedByteHours',
  'datastoreCalls',
  'memcacheCalls',
  'mailCalls',
  'mailRecipients',
  'imagesCalls',
  'urlFetchCalls',
  'urlFetchBytes',
  'usersCalls',
  'taskQueueCalls',
  'identityCalls',
] as const;
export type UsageResource = (typeof USAGE_RESOURCES)[number];

export type UsageAmounts = Readonly<Partial<Record<UsageResource, number>>>;

/** 1 CPU second in megacycles. */
export const MEGACYCLES_PER_CPU_SECOND = 1_200;
