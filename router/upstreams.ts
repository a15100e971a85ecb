// Kept-alive connections to instances, the most recently used first, so that the connections which a burst left over time
// out. The leases bound how many there can be.
import { type Clock } from '../sdk/support/clock.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { InstanceConnection, type ConnectionOwner, type UpstreamHandler, type UpstreamRequest } from './instance-connection.ts';

/** A connection taken by one request. Give it back exactly once. */
export interface UpstreamConnection {
  dispatch(request: UpstreamRequest, handler: UpstreamHandler): void;
  /** Reads on after a handler said to wait. */
  resume(): void;
  /** After a whole, well-formed answer. */
  keep(): void;
  /** After anything else, in the middle of it too: the connection is closed, never used again. */
  discard(): void;
}

export class Upstreams {
  readonly #clock: Clock;
  readonly #bySocket = new Map<string, Upstream>();
  #waiting: InstanceConnection[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connections that a request uses now. */
  get busy(): number {
    let busy = 0;
    for (const upstream of this.#bySocket.values()) busy += upstream.busy;
    return busy;
  }

  take(socketPath: string): UpstreamConnection {
    return this.#upstream(socketPath).take();
  }

  /** Closes the idle connections of an instance that is gone. */
  forget(socketPath: string): void {
    this.#bySocket.get(socketPath)?.forget();
    this.#bySocket.delete(socketPath);
  }

  /** Closes what was kept long enough, and forgets instances that no request went to for a while. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    const usedSince = nowMs - LIMITS.upstreamIdleMs;
    for (const [socketPath, upstream] of this.#bySocket) {
      if (upstream.busy === 0 && upstream.usedAtMs < usedSince) this.forget(socketPath);
      else upstream.sweep(nowMs);
    }
  }

  /** Closes all idle connections; those in use close when they are given back. */
  close(): void {
    for (const socketPath of [...this.#bySocket.keys()]) this.forget(socketPath);
  }

  #upstream(socketPath: string): Upstream {
    const known = this.#bySocket.get(socketPath);
    if (known) return known;
    const upstream = new Upstream(socketPath, this.#clock, this.#queue);
    this.#bySocket.set(socketPath, upstream);
    return upstream;
  }

  /** One turn of the loop for all that wait: after it, whatever had come on their connections is read. */
  readonly #queue = (connection: InstanceConnection): void => {
    if (this.#waiting.push(connection) === 1) setImmediate(this.#flush);
  };

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const connection of waiting) connection.turn();
  };
}

/** The connections to one instance. */
class Upstream implements ConnectionOwner {
  readonly #socketPath: string;
  readonly #clock: Clock;
  readonly #queue: (connection: InstanceConnection) => void;
  #idle: InstanceConnection[] = [];
  #isForgotten = false;
  busy = 0;
  usedAtMs: number;

  constructor(socketPath: string, clock: Clock, queue: (connection: InstanceConnection) => void) {
    this.#socketPath = socketPath;
    this.#clock = clock;
    this.#queue = queue;
    this.usedAtMs = clock.monotonicMs();
  }

  take(): InstanceConnection {
    this.busy++;
    const nowMs = this.#clock.monotonicMs();
    for (let kept = this.#idle.pop(); kept; kept = this.#idle.pop()) {
      if (kept.expiresAtMs > nowMs) return kept;
      kept.close();
    }
    return new InstanceConnection(this.#socketPath, this);
  }

  forget(): void {
    this.#isForgotten = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  sweep(nowMs: number): void {
    const { length } = this.#idle;
    for (const connection of this.#idle) if (connection.expiresAtMs <= nowMs) connection.close();
    if (length > 0) this.#idle = this.#idle.filter(({ isUsable }) => isUsable);
  }

  released(connection: InstanceConnection): void {
    const nowMs = this.#clock.monotonicMs();
    this.busy--;
    this.usedAtMs = nowMs;
    if (!connection.isUsable) return;
    connection.expiresAtMs = nowMs + connection.keepMs;
    if (this.#isForgotten) connection.close();
    else this.#idle.push(connection);
  }

  lost(connection: InstanceConnection): void {
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
  }

  queue(connection: InstanceConnection): void {
    this.#queue(connection);
  }
}
