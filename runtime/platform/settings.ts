// The composition root: the one place that knows which adapter stands behind which port, and which part runs in which
// role. One file a role, loaded by that role alone; main.ts decides whether a role is a process of its own.
// Read next: ../role-links.ts, then router-role.ts.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CertificatePaths } from '../../router/certificate-files.ts';
import { type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type QuotaPolicy } from '../billing/quota-policy.ts';
import { type DevIndexes, type MailSettings } from '../config.ts';
import { type DataPaths } from '../host/data-directory.ts';
import { type LogLimits } from '../observability/log-retention.ts';

/** In the run directory: the router's private entrance for tasks and cron jobs, which control dispatches. */
export const PLATFORM_SOCKET = 'router-platform.sock';

/** What every role is told; plain data, so that it crosses a process border. */
export interface PlatformSettings {
  readonly release: string;
  readonly paths: DataPaths;
  readonly runDirectory: string;
  readonly bind: string;
  /** Whether clients of the datastore's port need a token. */
  readonly datastoreAuth: boolean;
  readonly domain: string;
  readonly ephemeral: boolean;
  /** The datastore's port serves POST /reset and /shutdown. */
  readonly allowsReset: boolean;
  /** Whoever types an e-mail address has signed in; loopback only. */
  readonly devLogin: boolean;
  readonly devIndexes?: DevIndexes;
  readonly ports: {
    readonly router: number;
    /** HTTP beside HTTPS. */ readonly http?: number;
    readonly console: number;
    readonly datastore: number;
  };
  /** Address ranges that apps may reach besides the public ones. */
  readonly fetchAllow: readonly string[];
  /** Names, besides localhost and addresses, at which browsers may reach the console. */
  readonly consoleHosts: readonly string[];
  readonly trustedProxies: readonly string[];
  /** The router's port serves HTTPS. */
  readonly tls?: CertificatePaths;
  readonly mail: MailSettings;
  /** Of one app and kind of log. */
  readonly logLimits: LogLimits;
  /** Whether /metrics needs no token from this machine itself. */
  readonly metricsOpen: boolean;
  /** For the datastore role alone; absent: the datastore is in the data directory. */
  readonly store?: StoreSettings;
  /** What the host found out about this machine, for the status. */
  readonly sandbox: 'bubblewrap' | 'process';
  readonly warnings: readonly string[];
  /** From the operator's files; absent: the defaults. */
  readonly quotas?: QuotaPolicy;
}

/** A database server instead of the data directory. */
export interface StoreSettings {
  /** With its password. */
  readonly url: string;
  /** Who this platform is to the server, over restarts. */
  readonly holder: string;
}

/** The world of one process. */
export interface PlatformWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

export interface RunningRole {
  close(): Promise<void>;
}

/** Directory of package.json, whether this runs from the sources or from dist/. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && dirname(directory) !== directory) directory = dirname(directory);
  return directory;
}
