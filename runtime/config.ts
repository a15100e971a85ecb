// What `appengine serve` was told, from flags, then variables, then defaults. Pure: reading argv and environment only.
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type CertificatePaths } from '../router/certificate-files.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { LOG_LIMITS_DEFAULT, type LogLimits } from './observability/log-retention.ts';
import { type SandboxChoice } from './sandbox/sandbox-choice.ts';
import { parseAddress } from './services/mail/mail-address.ts';
import { parseAddressRange } from './services/url-fetch/address-guard.ts';

export const SANDBOX_CHOICES: readonly SandboxChoice[] = ['auto', 'bubblewrap', 'process'];

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevelChoice = (typeof LOG_LEVELS)[number];

/** The app whose queries get the indexes that they need at once, and the index.yaml that these are written to. */
export interface DevIndexes {
  readonly appId: string;
  readonly path: string;
}

export interface ServeConfig {
  readonly dataDirectory: string;
  /** Ports; 0 picks a free one. */
  readonly port: number;
  /** HTTP beside HTTPS. */
  readonly httpPort?: number;
  readonly consolePort: number;
  readonly datastorePort: number;
  /** Address that all three ports listen on. */
  readonly bind: string;
  /** Whether clients of the datastore's port need a token: as asked for, and always where other machines reach it. */
  readonly datastoreAuth: boolean;
  /** `port` serves HTTPS. */
  readonly tls?: CertificatePaths;
  /** App URLs are http://ID.DOMAIN:PORT/, with TLS https://. */
  readonly domain: string;
  /** Names, besides localhost and addresses, at which browsers may reach the console. */
  readonly consoleHosts: readonly string[];
  /** Addresses of proxies in front of the router whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  readonly trustedProxies: readonly string[];
  /** Every role in one process. */
  readonly singleProcess: boolean;
  /** Nothing outlives the process. */
  readonly ephemeral: boolean;
  /** The datastore's port serves POST /reset and /shutdown. */
  readonly allowsReset: boolean;
  readonly sandbox: SandboxChoice;
  readonly logLevel: LogLevelChoice;
  /** Address ranges that apps may reach besides the public ones. */
  readonly fetchAllow: readonly string[];
  /** Whoever types an e-mail address has signed in. */
  readonly devLogin: boolean;
  readonly devIndexes?: DevIndexes;
  /** The operator's files of quotas and of prices. */
  readonly quotasFile?: string;
  readonly pricesFile?: string;
  readonly mail: MailSettings;
  readonly logLimits: LogLimits;
  /** Whether /metrics needs no token from this machine itself. */
  readonly metricsOpen: boolean;
  /** Bytes for all instances together; absent: what the machine has, less what the platform needs. */
  readonly memoryBudgetBytes?: number;
  /** postgres://USER:PASSWORD@HOST:PORT/DATABASE, a secret; absent: the datastore is in the data directory. */
  readonly storeUrl?: string;
}

export interface MailSettings {
  /** Apps may send mail as anything@APP.DOMAIN. */
  readonly domain: string;
  /** Addresses that every app may send as. */
  readonly senders: readonly string[];
  /** smtp[s]://user:password@host:port, a secret; absent: mail is kept on disk alone. */
  readonly smtpUrl?: string;
}

/** Flags as commander hands them over: texts or absent. */
export interface ServeFlags {
  readonly dataDir?: string;
  readonly port?: string;
  readonly consolePort?: string;
  readonly datastorePort?: string;
  readonly bind?: string;
  readonly datastoreAuth?: boolean;
  readonly domain?: string;
  readonly consoleHost?: readonly string[];
  readonly trustedProxy?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly httpPort?: string;
  readonly role?: string;
  readonly ephemeral?: boolean;
  readonly allowReset?: boolean;
  readonly sandbox?: string;
  readonly logLevel?: string;
  readonly fetchAllow?: readonly string[];
  readonly devLogin?: boolean;
  readonly devIndexes?: string;
  readonly quotas?: string;
  readonly prices?: string;
  readonly smtp?: string;
  readonly mailDomain?: string;
  readonly mailSender?: readonly string[];
  readonly store?: string;
  readonly logRetention?: string;
  readonly logSize?: string;
  readonly metricsOpen?: boolean;
  readonly memoryBudget?: string;
}

export const PORT_DEFAULT = 8080;
export const CONSOLE_PORT_DEFAULT = 8000;
export const DATASTORE_PORT_DEFAULT = 8081;
export const DATASTORE_AUTH_VARIABLE = 'APPENGINE_DATASTORE_AUTH';
/** These hold a password: they are not handed on. */
export const SMTP_VARIABLE = 'APPENGINE_SMTP';
export const STORE_VARIABLE = 'APPENGINE_STORE';
export const DATA_DIRECTORY_DEFAULT = '.appengine';

const DOMAIN_PATTERN = /^(?=.{1,190}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const LOOPBACK = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/;

/** Whether only this machine reaches what listens there. */
export function isLoopback(bind: string): boolean {
  return LOOPBACK.test(bind);
}

/** Throws USAGE naming the flag or variable, what it holds and what it wants. */
export function readServeConfig(flags: ServeFlags, variables: Readonly<Record<string, string | undefined>>): ServeConfig {
  const domain = flags.domain ?? 'localhost';
  if (!DOMAIN_PATTERN.test(domain)) throw usage('--domain', domain, 'a lower-case host name such as example.com');
  if (flags.role !== undefined && flags.role !== 'all') throw usage('--role', flags.role, '"all" (every role in one process)');
  const bind = flags.bind ?? '127.0.0.1';
  const devLogin = flags.devLogin ?? false;
  if (devLogin && !isLoopback(bind)) {
    throw new PlatformError('USAGE', `--dev-login lets anybody in, so it goes with a loopback address alone, and --bind is "${bind}"`);
  }
  const datastoreAuth = (flags.datastoreAuth ?? readSwitch(DATASTORE_AUTH_VARIABLE, variables)) || !isLoopback(bind);
  if (flags.allowReset && datastoreAuth) {
    throw new PlatformError(
      'USAGE',
      '--allow-reset lets whoever reaches the datastore port delete the data of all apps, so it goes without --datastore-auth and with a loopback address alone',
    );
  }
  return {
    dataDirectory: flags.dataDir ?? (variables['APPENGINE_DATA_DIR'] || DATA_DIRECTORY_DEFAULT),
    port: readPort('--port', flags.port, 'APPENGINE_PORT', variables, PORT_DEFAULT),
    consolePort: readPort('--console-port', flags.consolePort, 'APPENGINE_CONSOLE_PORT', variables, CONSOLE_PORT_DEFAULT),
    datastorePort: readPort('--datastore-port', flags.datastorePort, 'APPENGINE_DATASTORE_PORT', variables, DATASTORE_PORT_DEFAULT),
    bind,
    datastoreAuth,
    domain,
    consoleHosts: (flags.consoleHost ?? []).map(consoleHost),
    trustedProxies: (flags.trustedProxy ?? []).map(proxyAddress),
    singleProcess: flags.role === 'all',
    ephemeral: flags.ephemeral ?? false,
    allowsReset: !datastoreAuth && (flags.allowReset ?? flags.ephemeral ?? false),
    sandbox: oneOf('--sandbox', flags.sandbox ?? 'auto', SANDBOX_CHOICES),
    logLevel: oneOf('--log-level', flags.logLevel ?? 'warn', LOG_LEVELS),
    fetchAllow: (flags.fetchAllow ?? []).map(addressRange),
    devLogin,
    ...(flags.devIndexes === undefined ? {} : { devIndexes: devIndexes(flags.devIndexes) }),
    ...(flags.quotas === undefined ? {} : { quotasFile: flags.quotas }),
    ...(flags.prices === undefined ? {} : { pricesFile: flags.prices }),
    mail: readMailSettings(flags, variables, domain),
    logLimits: readLogLimits(flags),
    metricsOpen: flags.metricsOpen ?? false,
    ...(flags.memoryBudget === undefined ? {} : { memoryBudgetBytes: memoryBudget(flags.memoryBudget) }),
    ...readStore(flags, variables),
    ...readTls(flags, variables),
  };
}

function readTls(flags: ServeFlags, variables: Readonly<Record<string, string | undefined>>): Pick<ServeConfig, 'tls' | 'httpPort'> {
  const certFile = flags.tlsCert ?? (variables['APPENGINE_TLS_CERT'] || undefined);
  const keyFile = flags.tlsKey ?? (variables['APPENGINE_TLS_KEY'] || undefined);
  const httpText = flags.httpPort ?? (variables['APPENGINE_HTTP_PORT'] || undefined);
  if (certFile === undefined && keyFile === undefined) {
    if (httpText === undefined) return {};
    throw new PlatformError('USAGE', '--http-port is for HTTP beside HTTPS: without --tls-cert and --tls-key, --port serves HTTP');
  }
  if (certFile === undefined || keyFile === undefined) {
    throw new PlatformError('USAGE', 'HTTPS takes both --tls-cert and --tls-key (or APPENGINE_TLS_CERT and APPENGINE_TLS_KEY)');
  }
  const tls = { certFile: resolve(certFile), keyFile: resolve(keyFile) };
  return httpText === undefined ? { tls } : { tls, httpPort: readPort('--http-port', flags.httpPort, 'APPENGINE_HTTP_PORT', variables, 0) };
}

function devIndexes(text: string): DevIndexes {
  const [, appId, path] = /^([a-z0-9-]+)=(.+)$/s.exec(text) ?? [];
  if (appId === undefined || path === undefined) throw usage('--dev-indexes', text, 'APP=FILE');
  return { appId, path };
}

const HOUR_MS = 3_600_000;
const RETENTION_UNIT_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: 24 * HOUR_MS };
const SIZE_UNIT_BYTES: Readonly<Record<string, number>> = { m: 1024 ** 2, g: 1024 ** 3 };
/** Less would hold no more than a few seconds of a busy app. */
const LOG_MEGABYTES_MIN = 1;

function readLogLimits({ logRetention, logSize }: ServeFlags): LogLimits {
  const [, time = '', timeUnit = ''] = /^([1-9]\d{0,4})([hd])$/.exec(logRetention ?? '') ?? [];
  if (logRetention !== undefined && time === '') throw usage('--log-retention', logRetention, 'days or hours such as 30d or 12h');
  const [, size = '', sizeUnit = ''] = /^([1-9]\d{0,4})([mg])b?$/i.exec(logSize ?? '') ?? [];
  if (logSize !== undefined && size === '') throw usage('--log-size', logSize, `a size from ${LOG_MEGABYTES_MIN}m, such as 256m or 2g`);
  return {
    retentionMs: logRetention === undefined ? LOG_LIMITS_DEFAULT.retentionMs : Number(time) * (RETENTION_UNIT_MS[timeUnit] ?? 0),
    // Half for what apps print, half for their requests: neither pushes the other out.
    bytesMax: logSize === undefined ? LOG_LIMITS_DEFAULT.bytesMax : (Number(size) * (SIZE_UNIT_BYTES[sizeUnit.toLowerCase()] ?? 0)) / 2,
  };
}

function memoryBudget(text: string): number {
  const [, size = '', unit = ''] = /^([1-9]\d{0,5})([mg])i?b?$/i.exec(text) ?? [];
  const bytes = Number(size) * (SIZE_UNIT_BYTES[unit.toLowerCase()] ?? 0);
  if (bytes >= LIMITS.memoryBudgetBytesMin) return bytes;
  throw usage('--memory-budget', text, `a size from ${LIMITS.memoryBudgetBytesMin / 1024 ** 2}M, such as 900M or 8G`);
}

function readStore(flags: ServeFlags, variables: Readonly<Record<string, string | undefined>>): Pick<ServeConfig, 'storeUrl'> {
  const name = flags.store === undefined ? STORE_VARIABLE : '--store';
  const storeUrl = flags.store ?? (variables[STORE_VARIABLE] || undefined);
  if (storeUrl === undefined) return {};
  if (flags.ephemeral) {
    throw new PlatformError(
      'USAGE',
      `--ephemeral keeps nothing, and ${name} names a database that keeps everything: leave out one of them`,
    );
  }
  // It is not repeated: it may hold a password.
  if (!isStoreUrl(storeUrl)) throw new PlatformError('USAGE', `${name}: want postgres://USER:PASSWORD@HOST:PORT/DATABASE`);
  return { storeUrl };
}

function isStoreUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname } = new URL(text);
  return (protocol === 'postgres:' || protocol === 'postgresql:') && hostname !== '' && /^\/[^/]+$/.test(pathname);
}

function readMailSettings(flags: ServeFlags, variables: Readonly<Record<string, string | undefined>>, domain: string): MailSettings {
  const mailDomain = flags.mailDomain ?? domain;
  if (!DOMAIN_PATTERN.test(mailDomain)) throw usage('--mail-domain', mailDomain, 'a lower-case domain such as mail.example.com');
  const senders = (flags.mailSender ?? []).map((text) => {
    const address = parseAddress(text);
    if (address === undefined) throw usage('--mail-sender', text, 'an address such as news@example.com');
    return address;
  });
  const smtpUrl = flags.smtp ?? (variables[SMTP_VARIABLE] || undefined);
  if (smtpUrl === undefined) return { domain: mailDomain, senders };
  // It is not repeated: it may hold a password.
  if (!isSmtpUrl(smtpUrl)) throw new PlatformError('USAGE', '--smtp or APPENGINE_SMTP: want smtp[s]://USER:PASSWORD@HOST:PORT');
  return { domain: mailDomain, senders, smtpUrl };
}

function isSmtpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search } = new URL(text);
  return (protocol === 'smtp:' || protocol === 'smtps:') && hostname !== '' && (pathname === '' || pathname === '/') && search === '';
}

function readPort(
  flag: string,
  flagText: string | undefined,
  variable: string,
  variables: Readonly<Record<string, string | undefined>>,
  fallback: number,
): number {
  const text = flagText ?? variables[variable];
  if (text === undefined || text === '') return fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw usage(flagText === undefined ? variable : flag, text, 'a port from 0 to 65535, 0 for a free one');
  return port;
}

function readSwitch(variable: string, variables: Readonly<Record<string, string | undefined>>): boolean {
  const text = variables[variable] ?? '';
  if (text === '' || text === '0' || text === 'false') return false;
  if (text === '1' || text === 'true') return true;
  throw usage(variable, text, '1 or 0');
}

function consoleHost(text: string): string {
  const name = text.toLowerCase();
  if (!DOMAIN_PATTERN.test(name)) throw usage('--console-host', text, 'a host name such as console.example.com, without a port');
  return name;
}

function proxyAddress(text: string): string {
  if (isIP(text) === 0) throw usage('--trusted-proxy', text, 'an IP address such as 127.0.0.1');
  return text.toLowerCase();
}

function addressRange(text: string): string {
  if (parseAddressRange(text) === undefined) throw usage('--fetch-allow', text, 'an address range such as 10.0.0.0/8 or fd00::/8');
  return text;
}

function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw usage(flag, text, `one of ${choices.join(', ')}`);
  return found;
}

function usage(name: string, found: string, want: string): PlatformError {
  return new PlatformError('USAGE', `${name} is "${found}", want ${want}`);
}
