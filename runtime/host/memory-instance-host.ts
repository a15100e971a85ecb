// The host's twin for tests and simulations: scripted instances in virtual time, no processes.
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import {
  type HostCapacity,
  type InstanceExit,
  type InstanceHost,
  type InstanceSpec,
  type InstanceState,
  type InstanceView,
} from './instance.ts';
import { MemoryBudget, type MemoryUse } from './memory-budget.ts';
import { InstanceWatchers, type InstanceWatchListener } from './instance-watchers.ts';

export interface MemoryInstanceHostOptions {
  /** Time from start to ready. May be changed later by assigning `readyMs`. */
  readonly readyMs: number;
  /** Time from SIGTERM until an instance has gone; the grace time bounds it. Default 0: in the next timer turn. */
  readonly stopMs?: number;
  readonly instancesMax?: number;
  /** Bytes for all instances together; absent: no bound. */
  readonly memoryBudgetBytes?: number;
}

/**
 * Every instance becomes ready `readyMs` after its start, unless told otherwise.
 *
 * States: as in instance.ts.
 */
export class MemoryInstanceHost implements InstanceHost {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #stopMs: number;
  readonly #instancesMax: number;
  readonly #memory: MemoryBudget;
  readonly #views = new Map<string, InstanceView>();
  readonly #watchers = new InstanceWatchers(() => this.#views.values());
  readonly #failures: InstanceExit[] = [];
  #nextId = 1;

  /** Changes how long the starts that follow take. */
  readyMs: number;
  /** Every spec that was started, oldest first. */
  readonly started: InstanceSpec[] = [];

  constructor(clock: Clock, timers: Timers, options: MemoryInstanceHostOptions) {
    this.#clock = clock;
    this.#timers = timers;
    this.readyMs = options.readyMs;
    this.#stopMs = options.stopMs ?? 0;
    this.#instancesMax = options.instancesMax ?? LIMITS.instancesPerHostMax;
    this.#memory = new MemoryBudget(options.memoryBudgetBytes ?? Infinity);
  }

  start(spec: InstanceSpec): Promise<{ readonly id: string }> {
    if (this.#views.size >= this.#instancesMax) {
      return Promise.reject(new PlatformError('INSTANCE_LIMIT', `at most ${this.#instancesMax}`));
    }
    try {
      this.#memory.admit(spec.memoryBytesMax, this.#memoryUses());
    } catch (error) {
      return Promise.reject(toPlatformError(error));
    }
    const id = (this.#nextId++).toString(16).padStart(12, '0');
    this.started.push(spec);
    const failure = this.#failures.shift();
    const { appId, service, version, deploymentId } = spec;
    this.#show({
      id,
      appId,
      service,
      version,
      deploymentId,
      state: 'starting',
      socketDirectory: `/memory/${id}`,
      startedAtMs: this.#clock.nowMs(),
      phases: {},
      memoryBytesMax: spec.memoryBytesMax,
    });
    this.#timers.after(this.readyMs, () => {
      if (this.#views.get(id)?.state !== 'starting') return;
      if (failure) this.#exit(id, failure);
      else this.#move(id, 'ready', { phases: { spawnMs: 0, loadMs: this.readyMs, readyMs: this.readyMs } });
    });
    return Promise.resolve({ id });
  }

  stop(id: string, options: { readonly graceMs: number }): Promise<void> {
    const view = this.#views.get(id);
    if (view && view.state !== 'stopping') {
      this.#move(id, 'stopping');
      this.#timers.after(Math.min(this.#stopMs, options.graceMs), () => {
        this.#exit(id, exitOf({ code: 0, reason: 'stopped by the platform' }));
      });
    }
    return Promise.resolve();
  }

  capacity(): Promise<HostCapacity> {
    const memory = this.#memory.bytes === Infinity ? {} : { memory: this.#memory.state(this.#memoryUses()) };
    return Promise.resolve({ instances: this.#views.size, instancesMax: this.#instancesMax, ...memory });
  }

  list(): Promise<readonly InstanceView[]> {
    return Promise.resolve([...this.#views.values()]);
  }

  watch(listener: InstanceWatchListener): () => void {
    return this.#watchers.add(listener);
  }

  /** The instance dies at once, as by SIGKILL. Unknown ids are ignored. */
  kill(id: string): void {
    this.#exit(id, exitOf({ signal: 'SIGKILL', reason: 'killed by SIGKILL' }));
  }

  /** The next start fails `readyMs` after it was asked for. Call it again for one more. */
  failNextStart(exit: Partial<InstanceExit> = {}): void {
    this.#failures.push(exitOf({ code: 1, reason: 'exited with code 1', ...exit }));
  }

  /** What the usage sampler would have read. Unknown ids are ignored. */
  setUsage(id: string, usage: { readonly cpuMicros?: number; readonly memoryBytes?: number }): void {
    const view = this.#views.get(id);
    if (view) this.#views.set(id, { ...view, ...usage });
    if (this.#memory.isPressed(this.#memoryUses())) this.#watchers.press();
  }

  /** As after a lost connection: every watcher gets onReset and the whole truth again. */
  resetWatchers(): void {
    this.#watchers.reset();
  }

  #memoryUses(): MemoryUse[] {
    return [...this.#views.values()].map(({ memoryBytesMax = 0, memoryBytes }) => ({ memoryBytesMax, memoryBytes }));
  }

  #move(id: string, state: InstanceState, change: Partial<InstanceView> = {}): void {
    const view = this.#views.get(id);
    if (view) this.#show({ ...view, ...change, state });
  }

  #exit(id: string, exit: InstanceExit): void {
    const view = this.#views.get(id);
    if (!view) return;
    this.#views.delete(id);
    this.#watchers.notify({ ...view, state: 'exited', exit });
  }

  #show(view: InstanceView): void {
    this.#views.set(view.id, view);
    this.#watchers.notify(view);
  }
}

function exitOf(exit: Partial<InstanceExit> & { readonly reason: string }): InstanceExit {
  return { code: null, signal: null, errorCode: 'INSTANCE_EXITED', stderrTail: '', ...exit };
}
