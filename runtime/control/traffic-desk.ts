// Changes of traffic by hand: the version that gets some for the first time is started before it does.
import { type TrafficRequest } from '../../sdk/contract/admin/admin.ts';
import { type ErrorCode, PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { type InstanceWarmer } from '../scheduler/scheduler-rpc.ts';
import { type AppRegistry } from './app-registry.ts';
import { appIn, versionIn } from './registry-state.ts';

/** What a version's start says about the version; anything else that keeps it from starting may be over in a second. */
const START_FAILURES: ReadonlySet<ErrorCode> = new Set(['INSTANCE_EXITED', 'INSTANCE_NEVER_LISTENED', 'ROUTE_START_FAILED']);

export class TrafficDesk {
  readonly #registry: AppRegistry;
  readonly #warmer: Pick<InstanceWarmer, 'warm'>;
  readonly #timers: Timers;

  constructor(registry: AppRegistry, warmer: Pick<InstanceWarmer, 'warm'>, timers: Timers) {
    this.#registry = registry;
    this.#warmer = warmer;
    this.#timers = timers;
  }

  /**
   * Ends a migration that is under way; with `migrateMs` begins one. Throws APP_NOT_FOUND, VERSION_NOT_FOUND,
   * INVALID_ARGUMENT, and what the start of a version says that cannot be started: then nothing changes.
   */
  async set(appId: string, service: string, { split, shardBy, migrateMs }: TrafficRequest): Promise<void> {
    const before = appIn(this.#registry.state, appId).services.get(service)?.traffic?.split ?? {};
    const gaining = Object.keys(split).filter((version) => (split[version] ?? 0) > 0 && !((before[version] ?? 0) > 0));
    for (const version of gaining) await this.#warm(versionIn(this.#registry.state, appId, service, version).deploymentId, migrateMs);
    if (migrateMs === undefined) await this.#registry.setTraffic(appId, service, split, shardBy);
    else
      await this.#registry.beginMigration(appId, service, soleVersion(split), { durationMs: migrateMs, ...(shardBy ? { shardBy } : {}) });
  }

  /** A move at once does not wait for a slow start: whoever moves traffic away from a broken version is in a hurry. */
  async #warm(deploymentId: string, migrateMs: number | undefined): Promise<void> {
    const warm = this.#warmer.warm(deploymentId);
    try {
      if (migrateMs !== undefined) {
        await warm;
        return;
      }
      const abort = new AbortController();
      await Promise.race([warm, sleep(this.#timers, LIMITS.trafficWarmMs, { signal: abort.signal }).catch(() => undefined)]).finally(() => {
        abort.abort();
      });
      warm.catch(() => undefined);
    } catch (error) {
      if (migrateMs !== undefined || START_FAILURES.has(toPlatformError(error).code)) throw error;
    }
  }
}

function soleVersion(split: Readonly<Record<string, number>>): string {
  const [version, ...more] = Object.keys(split).filter((name) => (split[name] ?? 0) > 0);
  if (version === undefined || more.length > 0) {
    throw new PlatformError('INVALID_ARGUMENT', 'traffic moves gradually to one version; name one');
  }
  return version;
}
