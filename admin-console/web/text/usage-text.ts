// Amounts of what the platform counts, with their units.
import { type UsageResource } from '../../../sdk/contract/usage.ts';
import { billedBytesText, countText, shortNumberText } from './number-text.ts';

const MEGACYCLES_PER_HOUR = 1_200 * 3_600;
const GIGABYTE_HOURS = 1e9;

/** "1.2 CPU h", "340 MB", "12,000": whatever a resource is counted in. */
export function amountText(resource: UsageResource, amount: number): string {
  switch (resource) {
    case 'cpuMegacycles':
      return amount >= MEGACYCLES_PER_HOUR / 10
        ? `${shortNumberText(amount / MEGACYCLES_PER_HOUR)} CPU h`
        : `${shortNumberText(amount)} Mcycles`;
    case 'incomingBytes':
    case 'outgoingBytes':
    case 'urlFetchBytes':
      return billedBytesText(amount);
    case 'instanceSeconds':
      return amount >= 360 ? `${shortNumberText(amount / 3_600)} h` : `${shortNumberText(amount)} s`;
    case 'storedByteHours':
      return `${shortNumberText(amount / GIGABYTE_HOURS)} GB h`;
    default:
      return countText(amount);
  }
}

const TITLES: Readonly<Record<UsageResource, string>> = {
  cpuMegacycles: 'CPU time',
  requests: 'Requests',
  incomingBytes: 'Incoming bandwidth',
  outgoingBytes: 'Outgoing bandwidth',
  instanceSeconds: 'Instance hours',
  storedByteHours: 'Stored data',
  datastoreCalls: 'Datastore calls',
  memcacheCalls: 'Memcache calls',
  mailCalls: 'Mail calls',
  mailRecipients: 'Mail recipients',
  imagesCalls: 'Image calls',
  urlFetchCalls: 'URL fetch calls',
  urlFetchBytes: 'URL fetch data',
  usersCalls: 'User calls',
  taskQueueCalls: 'Task queue calls',
  identityCalls: 'Identity calls',
};

export const resourceTitle = (resource: UsageResource): string => TITLES[resource];
