// One role process that is started again whenever it ends.
//
// States: starting → ready      it said so
//         starting → waiting    it ended, or said nothing in time; also → stopped when it said that it cannot start
//         ready    → waiting    it died
//         waiting  → starting   after the back-off
//         any      → stopping → stopped
import { assert } from '../../sdk/support/assert.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { errorFromBody, PlatformError } from '../../sdk/contract/errors.ts';
import { type FromRole } from './role-message.ts';
import { type RoleChild, type RoleExit, type RoleSpawner, type RoleSpec } from './role-spawner.ts';

export type RoleState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped';

export interface RoleStatus {
  readonly name: string;
  readonly state: RoleState;
  readonly pid?: number;
  /** Since when it is in this state, wall-clock milliseconds. */
  readonly sinceMs: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly lastExit?: RoleExit;
}

export interface RoleTimes {
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** Ready for this long, a role is well again: its next restart is quick. */
  readonly healthyMs: number;
  readonly readyMsMax: number;
  readonly stopMsMax: number;
}

const NEXT: Readonly<Record<RoleState, readonly RoleState[]>> = {
  starting: ['ready', 'waiting', 'stopping', 'stopped'],
  ready: ['waiting', 'stopping'],
  waiting: ['starting', 'stopped'],
  stopping: ['stopped'],
  stopped: [],
};

export class SupervisedRole {
  readonly #spec: RoleSpec;
  readonly #spawner: RoleSpawner;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #times: RoleTimes;
  readonly #onReady: (payload: unknown) => void;
  readonly #firstReady: Promise<unknown>;
  #resolveFirst: (payload: unknown) => void = () => undefined;
  #rejectFirst: (error: PlatformError) => void = () => undefined;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => undefined;
  #state: RoleState = 'starting';
  #sinceMs: number;
  #readyAtMs: number | undefined;
  #child: RoleChild | undefined;
  #restarts = 0;
  #backoffMs: number;
  #lastExit: RoleExit | undefined;
  #cancel: Cancel = () => undefined;

  constructor(
    spec: RoleSpec,
    spawner: RoleSpawner,
    clock: Clock,
    timers: Timers,
    log: Log,
    options: RoleTimes & { readonly onReady: (payload: unknown) => void },
  ) {
    this.#spec = spec;
    this.#spawner = spawner;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log.child({ role: spec.name });
    this.#times = options;
    this.#onReady = options.onReady;
    this.#backoffMs = options.backoffMsMin;
    this.#sinceMs = clock.nowMs();
    this.#firstReady = new Promise((resolve, reject) => {
      this.#resolveFirst = resolve;
      this.#rejectFirst = reject;
    });
    // Who does not wait for the first start still gets its outcome from status().
    this.#firstReady.catch(() => undefined);
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  get status(): RoleStatus {
    const pid = this.#child?.pid;
    return {
      name: this.#spec.name,
      state: this.#state,
      ...(pid === undefined ? {} : { pid }),
      sinceMs: this.#sinceMs,
      restarts: this.#restarts,
      ...(this.#lastExit === undefined ? {} : { lastExit: this.#lastExit }),
    };
  }

  /** Resolves with what the role announced when it was ready for the first time. Throws what it says it failed with. */
  start(): Promise<unknown> {
    this.#spawn();
    return this.#firstReady;
  }

  /** Asks it to end, and kills it when it has not within stopMsMax. Resolves when it has ended. */
  stop(): Promise<void> {
    if (this.#state === 'waiting') {
      this.#cancel();
      this.#transition('stopped');
    } else if (this.#state === 'starting' || this.#state === 'ready') {
      this.#cancel();
      this.#transition('stopping');
      this.#child?.send({ kind: 'stop' });
      this.#cancel = this.#timers.after(this.#times.stopMsMax, () => {
        this.#log.warn('A role did not end in time and is killed', { stopMsMax: this.#times.stopMsMax });
        this.#child?.kill();
      });
    }
    return this.#stopped;
  }

  #spawn(): void {
    const { name, argv, environment } = this.#spec;
    const child = this.#spawner.spawn({ name, argv, environment });
    this.#child = child;
    child.onMessage((message) => {
      if (this.#child === child) this.#onMessage(message);
    });
    void child.exited.then((exit) => {
      this.#onExit(exit);
    });
    this.#cancel = this.#timers.after(this.#times.readyMsMax, () => {
      this.#log.error('A role is not ready in time and is killed', { readyMsMax: this.#times.readyMsMax });
      child.kill();
    });
  }

  #onMessage(message: FromRole): void {
    if (this.#state !== 'starting') return;
    if (message.kind === 'failed') {
      // Only a first start ends for good: what ran once can run again, when what is in its way has gone.
      if (this.#restarts === 0) this.#rejectFirst(errorFromBody(message.error));
      this.#log.error('A role cannot start', { code: message.error.code, reason: message.error.message });
      if (this.#restarts === 0) this.#giveUp();
      return;
    }
    this.#cancel();
    this.#readyAtMs = this.#clock.monotonicMs();
    this.#transition('ready');
    this.#resolveFirst(message.payload);
    this.#onReady(message.payload);
  }

  /** Its exit follows; then there is no other start. */
  #giveUp(): void {
    this.#cancel();
    this.#transition('stopping');
    this.#cancel = this.#timers.after(this.#times.stopMsMax, () => {
      this.#child?.kill();
    });
  }

  #onExit(exit: RoleExit): void {
    this.#cancel();
    this.#child = undefined;
    this.#lastExit = exit;
    if (this.#state === 'stopping') {
      this.#transition('stopped');
      return;
    }
    const wasHealthy = this.#readyAtMs !== undefined && this.#clock.monotonicMs() - this.#readyAtMs >= this.#times.healthyMs;
    if (wasHealthy) this.#backoffMs = this.#times.backoffMsMin;
    this.#readyAtMs = undefined;
    this.#log.error('A role ended and is started again', { ...exit, waitMs: this.#backoffMs });
    this.#transition('waiting');
    this.#cancel = this.#timers.after(this.#backoffMs, () => {
      this.#restarts++;
      this.#transition('starting');
      this.#spawn();
    });
    this.#backoffMs = Math.min(this.#backoffMs * 2, this.#times.backoffMsMax);
  }

  #transition(next: RoleState): void {
    assert(NEXT[this.#state].includes(next), `a role moves from ${this.#state} to ${next}`);
    this.#state = next;
    this.#sinceMs = this.#clock.nowMs();
    if (next !== 'stopped') return;
    this.#rejectFirst(new PlatformError('CANCELLED', `${this.#spec.name} was stopped`));
    this.#resolveStopped();
  }
}
