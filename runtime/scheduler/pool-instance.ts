import { join } from 'node:path';
import { type StartPhases } from '../../sdk/contract/cold-start.ts';
import { assert } from '../../sdk/support/assert.ts';
import { APP_SOCKET, type InstanceView } from '../host/instance.ts';
import { type Candidate } from './choose-instance.ts';
import { type PoolInstanceView } from './scheduler-view.ts';

/**
 * States, as the scheduler sees an instance:
 *
 *   starting → warming    it listens, and is sent its warm-up request first
 *   starting, warming → ready
 *   starting, warming, ready → stopping    asked to stop, by us or by others
 *   any → exited
 */
export type PoolInstanceState = 'starting' | 'warming' | 'ready' | 'stopping' | 'exited';

const LEGAL: Readonly<Record<PoolInstanceState, readonly PoolInstanceState[]>> = {
  starting: ['warming', 'ready', 'stopping', 'exited'],
  warming: ['ready', 'stopping', 'exited'],
  ready: ['stopping', 'exited'],
  stopping: ['exited'],
  exited: [],
};

/** One instance of a version, with the requests that it has now. */
export class PoolInstance implements Candidate {
  readonly id: string;
  /** Wall clock, milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Monotonic time since which it is known here. */
  readonly knownAtMs: number;
  /** Whether this scheduler asked for it; otherwise it was there before. */
  readonly isOwn: boolean;
  #state: PoolInstanceState = 'starting';
  #socketPath = '';
  #start: StartPhases | undefined;
  #inFlight = 0;
  #busyMs = 0;
  #busyUntilMs = 0;
  #idleSinceMs: number;
  #readySinceMs: number | undefined;
  #isSuspect = false;
  #drainSinceMs: number | undefined;
  /** Whether a request was given to it; of adopted ones nobody knows, and they are past their start anyway. */
  hasServed: boolean;
  hasAnswered: boolean;
  /** Whether its first request, should it get one of the platform's, lies behind it; so it is with those from before our time. */
  isGreeted: boolean;
  /** Why it may not serve though it listens: it did not accept its start. */
  denial: string | undefined;
  /** Whether it uses more than its target share of the CPU, so that others are better given the next request. */
  isHot = false;
  /** Settles when the instance is done with its stop request, or its time for that is over; absent: it was sent none. */
  farewell: Promise<unknown> | undefined;
  /** The host could not be told to stop it: to be told again. */
  isStopUnheard = false;

  constructor(id: string, startedAtMs: number, nowMs: number, options: { readonly isOwn: boolean }) {
    this.id = id;
    this.startedAtMs = startedAtMs;
    this.knownAtMs = nowMs;
    this.#idleSinceMs = nowMs;
    this.isOwn = options.isOwn;
    this.hasServed = !options.isOwn;
    this.hasAnswered = !options.isOwn;
    this.isGreeted = !options.isOwn;
  }

  get state(): PoolInstanceState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get socketPath(): string {
    return this.#socketPath;
  }

  /** Monotonic time since which it may take requests. */
  get readySinceMs(): number | undefined {
    return this.#readySinceMs;
  }

  /** How it started, once it listens. */
  get start(): StartPhases | undefined {
    return this.#start;
  }

  /** Monotonic time since which it is ready without a request. */
  get idleSinceMs(): number {
    return this.#idleSinceMs;
  }

  /** A connection to it failed, and the host has not yet said whether it lives. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  get isOpen(): boolean {
    return this.#state === 'ready' && !this.#isSuspect && this.#drainSinceMs === undefined;
  }

  get isBooting(): boolean {
    return this.#state === 'starting' || this.#state === 'warming';
  }

  get isIdle(): boolean {
    return this.#state === 'ready' && this.#inFlight === 0;
  }

  /** Monotonic time since which it is ready, but takes no more requests because it is to go. */
  get drainSinceMs(): number | undefined {
    return this.#drainSinceMs;
  }

  drain(nowMs: number): void {
    this.#drainSinceMs ??= nowMs;
  }

  listen(view: InstanceView): void {
    this.#socketPath = join(view.socketDirectory, APP_SOCKET);
    this.#start = view.phases;
  }

  move(to: PoolInstanceState, nowMs: number): void {
    assert(LEGAL[this.#state].includes(to), `an instance may not go from ${this.#state} to ${to}`);
    this.#state = to;
    this.#idleSinceMs = nowMs;
    if (to === 'ready') this.#readySinceMs = nowMs;
  }

  take(nowMs: number): void {
    assert(this.isOpen, 'only an open instance takes requests');
    this.#countBusy(nowMs);
    this.#inFlight++;
    this.hasServed = true;
  }

  /** Sum of the times that its requests were in flight, until `nowMs`. */
  busyMs(nowMs: number): number {
    return this.#busyMs + this.#inFlight * (nowMs - this.#busyUntilMs);
  }

  giveBack(nowMs: number): void {
    this.#countBusy(nowMs);
    assert(this.#inFlight > 0, 'no request is given back twice');
    this.#inFlight--;
    this.#idleSinceMs = nowMs;
  }

  suspect(): void {
    this.#isSuspect = true;
  }

  confirm(): void {
    this.#isSuspect = false;
  }

  view(nowMs: number): PoolInstanceView {
    return {
      id: this.id,
      state: this.#state,
      inFlight: this.#inFlight,
      ...(this.isIdle ? { idleMs: nowMs - this.#idleSinceMs } : {}),
      isSuspect: this.#isSuspect,
      startedAtMs: this.startedAtMs,
    };
  }

  #countBusy(nowMs: number): void {
    this.#busyMs = this.busyMs(nowMs);
    this.#busyUntilMs = nowMs;
  }
}
