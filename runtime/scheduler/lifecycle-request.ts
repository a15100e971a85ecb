// The requests that the platform itself makes of an instance: App Engine's /_ah/warmup, /_ah/start and /_ah/stop.
import { type StartPhases } from '../../sdk/contract/cold-start.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';

export type LifecyclePath = '/_ah/warmup' | '/_ah/start' | '/_ah/stop';

export interface LifecycleRequest {
  readonly path: LifecyclePath;
  readonly instanceId: string;
  readonly socketPath: string;
  /** How the instance started, of the first request that it gets. */
  readonly start?: StartPhases | undefined;
  readonly deadlineMs: number;
}

/** One version's: sends one GET and resolves with the status of the answer, once all of that has come. Rejects when none comes. */
export type LifecycleCaller = (request: LifecycleRequest, options: { readonly signal: AbortSignal }) => Promise<number>;

/** How long each may take; App Engine: a start as long as any request of basic and manual scaling, a stop 30 seconds. */
const MS_MAX: Readonly<Record<LifecyclePath, number>> = {
  '/_ah/warmup': LIMITS.instanceWarmupMsMax,
  '/_ah/start': LIMITS.instanceStartRequestMsMax,
  '/_ah/stop': LIMITS.instanceStopRequestMsMax,
};

/** Makes the lifecycle requests of one version's instances, each within its time. */
export class LifecycleRequests {
  readonly #call: LifecycleCaller;
  readonly #timers: Timers;
  readonly #log: Log;

  constructor(call: LifecycleCaller, timers: Timers, log: Log) {
    this.#call = call;
    this.#timers = timers;
    this.#log = log;
  }

  /**
   * Resolves when the instance is done with it, or its time is over. Undefined when it may go on; otherwise why it may not:
   * only a start can fail, by any status but 2xx and 404 (App Engine: what has no handler has started).
   */
  async send(asked: Omit<LifecycleRequest, 'deadlineMs'>): Promise<string | undefined> {
    const { path, instanceId } = asked;
    const msMax = MS_MAX[path];
    const request = { ...asked, deadlineMs: msMax };
    const abort = new AbortController();
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#timers.after(msMax, () => {
        const error = new PlatformError('DEADLINE_EXCEEDED', `${path} was not answered within ${msMax / 1_000} s`);
        abort.abort(error);
        reject(error);
      });
    });
    let problem: string | undefined;
    try {
      const status = await Promise.race([this.#call(request, { signal: abort.signal }), late]);
      const isFine = (status >= 200 && status <= 299) || status === 404;
      problem = isFine ? undefined : `${path} was answered with status ${status}`;
    } catch (error) {
      problem = error instanceof PlatformError && error.code === 'DEADLINE_EXCEEDED' ? error.message : `${path} was not answered`;
      this.#log.info('A lifecycle request failed', { path, instanceId, error });
    } finally {
      cancel();
    }
    return path === '/_ah/start' ? problem : undefined;
  }
}
