// How people read each resource: its name, and the unit in which it is sold and shown.
import { MEGACYCLES_PER_CPU_SECOND, type UsageResource } from '../../sdk/contract/usage.ts';

export interface ResourceTerms {
  readonly title: string;
  /** One of what is sold: "CPU-hour". */
  readonly unit: string;
  readonly units: string;
  /** How much of the resource one unit is. */
  readonly amountPerUnit: number;
}

const CPU_HOUR = MEGACYCLES_PER_CPU_SECOND * 3_600;
const GB = 1_000_000_000;
const HOURS_PER_MONTH = 720;

const of = (title: string, unit: string, amountPerUnit: number, units = `${unit}s`): ResourceTerms => ({
  title,
  unit,
  units,
  amountPerUnit,
});

export const RESOURCE_TERMS: Readonly<Record<UsageResource, ResourceTerms>> = {
  cpuMegacycles: of('CPU time', 'CPU-hour', CPU_HOUR),
  requests: of('Requests', 'request', 1),
  incomingBytes: of('Incoming bandwidth', 'GB', GB, 'GB'),
  outgoingBytes: of('Outgoing bandwidth', 'GB', GB, 'GB'),
  instanceSeconds: of('Instance time', 'instance-hour', 3_600),
  storedByteHours: of('Stored data', 'GB-month', GB * HOURS_PER_MONTH),
  datastoreCalls: of('Datastore API calls', 'call', 1),
  memcacheCalls: of('Memcache API calls', 'call', 1),
  mailCalls: of('Mail API calls', 'call', 1),
  mailRecipients: of('Recipients mailed', 'recipient', 1),
  imagesCalls: of('Images API calls', 'call', 1),
  urlFetchCalls: of('URL fetch API calls', 'call', 1),
  urlFetchBytes: of('URL fetch data', 'GB', GB, 'GB'),
  usersCalls: of('Users API calls', 'call', 1),
  taskQueueCalls: of('Task queue API calls', 'call', 1),
  identityCalls: of('App identity API calls', 'call', 1),
};

/** "6.5 CPU-hours", "1,300,000 requests". Small shares keep three significant digits. */
export function formatAmount(resource: UsageResource, amount: number): string {
  const { unit, units, amountPerUnit } = RESOURCE_TERMS[resource];
  const value = amount / amountPerUnit;
  const text = value.toLocaleString('en-US', value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
  return `${text} ${text === '1' ? unit : units}`;
}
