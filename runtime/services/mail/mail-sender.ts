// Who an app may send mail as.
import { PlatformError } from '../../../sdk/contract/errors.ts';

/** Who administers an app; the accounts of people answer it. */
export interface AdminAddresses {
  administratorsOf(appId: string): Promise<readonly string[]>;
}

/** Where there are no accounts. */
export const NO_ADMINISTRATORS: AdminAddresses = { administratorsOf: () => Promise.resolve([]) };

export interface SenderRules {
  /** Apps may send as anything@APP.DOMAIN. */
  readonly domain: string;
  /** Addresses that every app may send as. */
  readonly senders: readonly string[];
  readonly administrators: AdminAddresses;
}

/** Throws MAIL_SENDER_REFUSED. */
export async function checkSender(address: string, appId: string, { domain, senders, administrators }: SenderRules): Promise<void> {
  const from = address.toLowerCase();
  const isSame = (other: string): boolean => other.toLowerCase() === from;
  if (from.slice(from.lastIndexOf('@') + 1) === `${appId}.${domain}`) return;
  if (senders.some(isSame) || (await administrators.administratorsOf(appId)).some(isSame)) return;
  throw new PlatformError('MAIL_SENDER_REFUSED', `${address}; the app's own addresses end with @${appId}.${domain}`);
}
