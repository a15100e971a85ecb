// Stops what an app over its quota of CPU or instance time still runs: its requests are refused, but a loop after a response, or
// a child, would go on using what the app no longer has.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type UsageResource } from '../../sdk/contract/usage.ts';
import { type InstanceHost } from '../host/instance.ts';
import { type QuotaKeeper } from './quota-keeper.ts';

const RUNNING_USES: readonly UsageResource[] = ['cpuMegacycles', 'instanceSeconds'];
const TICK_MS = 1_000;

export class OverQuotaStop {
  readonly #keeper: Pick<QuotaKeeper, 'states'>;
  readonly #host: Pick<InstanceHost, 'list' | 'stop'>;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  /** When an app came to be over quota, by the monotonic clock. */
  readonly #since = new Map<string, number>();
  #cancel: Cancel = () => undefined;
  #isLooking = false;

  constructor(keeper: Pick<QuotaKeeper, 'states'>, host: Pick<InstanceHost, 'list' | 'stop'>, clock: Clock, timers: Timers, log: Log) {
    this.#keeper = keeper;
    this.#host = host;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  start(): void {
    this.#cancel = this.#timers.every(TICK_MS, () => {
      this.#look();
    });
  }

  close(): void {
    this.#cancel();
  }

  /** Requests under way get `overQuotaRunMs` to finish; a quota of the minute resets too soon to end anything for it. */
  #look(): void {
    const over = this.#keeper.states.filter(({ exceeded }) =>
      exceeded.some(({ resource, reason }) => reason !== 'minute' && RUNNING_USES.includes(resource)),
    );
    const names = new Set(over.map(({ appId }) => appId));
    for (const appId of this.#since.keys()) if (!names.has(appId)) this.#since.delete(appId);
    const nowMs = this.#clock.monotonicMs();
    for (const appId of names) if (!this.#since.has(appId)) this.#since.set(appId, nowMs);
    const due = new Set([...this.#since].filter(([, sinceMs]) => nowMs - sinceMs >= LIMITS.overQuotaRunMs).map(([appId]) => appId));
    if (due.size === 0 || this.#isLooking) return;
    this.#isLooking = true;
    this.#stopAll(due)
      .catch((error: unknown) => {
        this.#log.info('Instances of an app over quota could not be stopped; it is tried again', { error });
      })
      .finally(() => {
        this.#isLooking = false;
      });
  }

  async #stopAll(apps: ReadonlySet<string>): Promise<void> {
    const oldestMs = this.#clock.nowMs() - LIMITS.overQuotaRunMs;
    for (const { id, appId, state, startedAtMs } of await this.#host.list()) {
      // One that min_instances has brought back since gets its time as well, so that starts do not become a loop.
      if (apps.has(appId) && state !== 'stopping' && startedAtMs <= oldestMs)
        await this.#host.stop(id, { graceMs: LIMITS.instanceStopGraceMs });
    }
  }
}
