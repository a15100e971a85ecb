import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type InstanceHost } from '../host/instance.ts';
import { type BundleStore } from './bundle-store.ts';

const POLL_MS = 100;
/** The router hears a little later that the plan is withdrawn; the time of /_ah/stop must not be cut by that. */
const HEARD_MS = 1_000;
/** What of an instance is not gone this long after SIGKILL was due never goes. */
const GONE_MS = 2 * LIMITS.instanceStopGraceMs;

/**
 * Takes away what is left of a deployment that no record names any more: its instances first, then its code. Once its plan
 * is withdrawn the scheduler drains them as in any orderly stop; only what is still there after `instanceStopRequestMsMax`
 * is stopped from here, be it that a request takes longer or that no router is there.
 */
export class Retirement {
  readonly #host: Pick<InstanceHost, 'list' | 'stop'>;
  readonly #bundles: Pick<BundleStore, 'remove'>;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #under = new Set<Promise<void>>();

  constructor(host: Pick<InstanceHost, 'list' | 'stop'>, bundles: Pick<BundleStore, 'remove'>, clock: Clock, timers: Timers, log: Log) {
    this.#host = host;
    this.#bundles = bundles;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  /** Begins in the background; what fails is left for the next start's sweep. */
  retire(deploymentId: string): void {
    const work = this.#retire(deploymentId).catch((error: unknown) => {
      this.#log.warn('A deployment could not be taken away', { deploymentId, error });
    });
    this.#under.add(work);
    void work.finally(() => this.#under.delete(work));
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#under);
  }

  async #retire(deploymentId: string): Promise<void> {
    const stopAtMs = this.#clock.monotonicMs() + LIMITS.instanceStopRequestMsMax + HEARD_MS;
    let isStopping = false;
    for (let left = await this.#instancesOf(deploymentId); left.length > 0; left = await this.#instancesOf(deploymentId)) {
      const nowMs = this.#clock.monotonicMs();
      if (!isStopping && nowMs >= stopAtMs) {
        isStopping = true;
        await Promise.all(left.map((id) => this.#host.stop(id, { graceMs: LIMITS.instanceStopGraceMs })));
      }
      if (nowMs >= stopAtMs + LIMITS.instanceStopGraceMs + GONE_MS) break;
      await sleep(this.#timers, POLL_MS);
    }
    await this.#bundles.remove(deploymentId);
  }

  async #instancesOf(deploymentId: string): Promise<string[]> {
    const views = await this.#host.list();
    return views.filter((view) => view.deploymentId === deploymentId).map(({ id }) => id);
  }
}
