import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type InstanceHost } from '../host/instance.ts';
import { type BundleStore } from './bundle-store.ts';

const POLL_MS = 100;
/** Once a deployment's plan is withdrawn the scheduler drains its instances; what is still there then is stopped. */
const DRAIN_MS = 5_000;

/** Takes away what is left of a deployment that no record names any more: its instances first, then its code. */
export class Retirement {
  readonly #host: InstanceHost;
  readonly #bundles: BundleStore;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #under = new Set<Promise<void>>();

  constructor(host: InstanceHost, bundles: BundleStore, clock: Clock, timers: Timers, log: Log) {
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
    const startMs = this.#clock.monotonicMs();
    let isStopping = false;
    for (let left = await this.#instancesOf(deploymentId); left.length > 0; left = await this.#instancesOf(deploymentId)) {
      const spentMs = this.#clock.monotonicMs() - startMs;
      if (!isStopping && spentMs >= DRAIN_MS) {
        isStopping = true;
        await Promise.all(left.map((id) => this.#host.stop(id, { graceMs: LIMITS.instanceStopGraceMs })));
      }
      if (spentMs >= DRAIN_MS + 3 * LIMITS.instanceStopGraceMs) break;
      await sleep(this.#timers, POLL_MS);
    }
    await this.#bundles.remove(deploymentId);
  }

  async #instancesOf(deploymentId: string): Promise<string[]> {
    const views = await this.#host.list();
    return views.filter((view) => view.deploymentId === deploymentId).map(({ id }) => id);
  }
}
