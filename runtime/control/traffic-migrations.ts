// Carries gradual moves of traffic out: looks at each about once a second, and records what traffic-migration.ts decides.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type AppRegistry } from './app-registry.ts';
import { type MigrationRecord, type TrafficRecord } from './control-store.ts';
import { runningMigrations } from './registry-state.ts';
import { type AnswerCount, decideMigration, type MigrationHealth } from './traffic-migration.ts';
import { type VersionCounts, type VersionCountsReader } from './version-counts.ts';

const LOOK_MS = 1_000;
const NONE: AnswerCount = { requests: 0, errors: 0 };

interface Watched {
  readonly startedAtMs: number;
  /** As they were at the last step. */
  base: VersionCounts;
  /** As they were when the migration was first looked at. */
  readonly first: VersionCounts;
}

export class TrafficMigrations {
  readonly #registry: AppRegistry;
  readonly #counts: VersionCountsReader;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #closing = new AbortController();
  /** By `app/service`. */
  readonly #watched = new Map<string, Watched>();

  constructor(registry: AppRegistry, counts: VersionCountsReader, clock: Clock, timers: Timers, log: Log) {
    this.#registry = registry;
    this.#counts = counts;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  /** Looks after migrations until `close`, those that were under way before this process among them. */
  start(): void {
    void this.#run();
  }

  close(): void {
    this.#closing.abort(new PlatformError('CANCELLED'));
  }

  /** One look at every migration that is under way. */
  async look(): Promise<void> {
    const running = runningMigrations(this.#registry.state);
    const names = new Set(running.map(nameOf));
    for (const name of this.#watched.keys()) if (!names.has(name)) this.#watched.delete(name);
    for (const traffic of running) {
      try {
        await this.#advance(traffic);
      } catch (error) {
        // A router or a datastore that is away: the migration waits for it.
        this.#log.warn('A gradual move of traffic waits', { appId: traffic.appId, service: traffic.service, error });
      }
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.look();
      await sleep(this.#timers, LOOK_MS, { signal }).catch(() => undefined);
    }
  }

  async #advance(traffic: TrafficRecord): Promise<void> {
    const { appId, service, migration } = traffic;
    if (!migration) return;
    const counts = await this.#counts.read(appId, service);
    const watched = this.#watch(nameOf(traffic), migration, counts);
    const decision = decideMigration(migration, healthOf(migration.to, watched, counts), this.#clock.nowMs());
    if (decision.kind === 'wait') return;
    await this.#registry.setMigration(appId, service, migration, decision.migration);
    watched.base = counts;
    const { to, steps, state, reason = '' } = decision.migration;
    if (decision.kind === 'roll-back') this.#log.warn('Rolled traffic back', { appId, service, to, reason });
    else this.#log.info('Moved traffic', { appId, service, to, steps, state });
  }

  #watch(name: string, { startedAtMs }: MigrationRecord, counts: VersionCounts): Watched {
    const known = this.#watched.get(name);
    if (known?.startedAtMs === startedAtMs) return known;
    const watched = { startedAtMs, base: counts, first: counts };
    this.#watched.set(name, watched);
    return watched;
  }
}

function healthOf(target: string, { base, first }: Watched, counts: VersionCounts): MigrationHealth {
  const others = Object.keys(counts).filter((version) => version !== target);
  return {
    target: since(counts[target], base[target]),
    others: sum(others.map((version) => since(counts[version], base[version]))),
    othersBefore: sum(others.map((version) => since(counts[version], first[version]))),
  };
}

/** A router that began anew counts less than before: then all that it has is new. */
function since(now: AnswerCount = NONE, base: AnswerCount = NONE): AnswerCount {
  if (now.requests < base.requests || now.errors < base.errors) return now;
  return { requests: now.requests - base.requests, errors: now.errors - base.errors };
}

function sum(counts: readonly AnswerCount[]): AnswerCount {
  return counts.reduce((all, { requests, errors }) => ({ requests: all.requests + requests, errors: all.errors + errors }), NONE);
}

function nameOf({ appId, service }: { readonly appId: string; readonly service: string }): string {
  return `${appId}/${service}`;
}
