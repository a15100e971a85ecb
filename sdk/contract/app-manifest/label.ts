// Names of apps, services and versions. Rules: App Engine's, and the three together make one DNS label.
import { PlatformError } from '../errors.ts';

const APP_ID = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_LABEL_CHARACTERS_MAX = 63;

/** The service that an app.yaml without `service:` describes. */
export const DEFAULT_SERVICE = 'default';

/** Throws APP_ID_INVALID. */
export function checkAppId(text: string): string {
  if (!APP_ID.test(text)) throw new PlatformError('APP_ID_INVALID', JSON.stringify(text.slice(0, 64)));
  const reason = reservedReason(text) ?? (text === DEFAULT_SERVICE ? 'is a reserved name' : undefined);
  if (reason !== undefined) throw new PlatformError('APP_ID_INVALID', `"${text}" ${reason}`);
  return text;
}

/** Throws LABEL_INVALID. */
export function checkService(text: string): string {
  return checkLabel('service', text);
}

/** Throws LABEL_INVALID. */
export function checkVersion(text: string): string {
  checkLabel('version', text);
  if (text === DEFAULT_SERVICE) throw new PlatformError('LABEL_INVALID', `the version name "${text}" is a reserved name`);
  return text;
}

/** Throws LABEL_INVALID when VERSION-dot-SERVICE-dot-APP does not fit into one DNS label. */
export function checkHostLabel(appId: string, service: string, version: string): void {
  const label = `${version}-dot-${service}-dot-${appId}`;
  if (label.length <= DNS_LABEL_CHARACTERS_MAX) return;
  throw new PlatformError(
    'LABEL_INVALID',
    `"${label}" has ${label.length} characters, and a host name's part has at most ${DNS_LABEL_CHARACTERS_MAX}; choose shorter names`,
  );
}

function checkLabel(what: string, text: string): string {
  if (!LABEL.test(text)) throw new PlatformError('LABEL_INVALID', `the ${what} name ${JSON.stringify(text.slice(0, 80))}`);
  const reason = reservedReason(text);
  if (reason !== undefined) throw new PlatformError('LABEL_INVALID', `the ${what} name "${text}" ${reason}`);
  return text;
}

function reservedReason(text: string): string | undefined {
  if (text === 'latest') return 'is a reserved name';
  if (text.startsWith('ah-')) return 'begins with "ah-", which is reserved';
  // Host names join the parts with it, also where a name begins or ends with half of it.
  if (`-${text}-`.includes('-dot-')) return 'contains "dot" as a part of its own, which host names use as separator';
  return undefined;
}
