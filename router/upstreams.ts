// Kept-alive connections to instances: one undici client a connection, the most recently used first, so that the
// connections which a burst left over time out. The leases bound how many there can be.
import { Client, type Dispatcher } from 'undici';
import { type Clock } from '../sdk/support/clock.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

/** Without a Keep-Alive hint from the app: gunicorn closes after 2 s, most others after 5 s. */
const KEEP_ALIVE_MS = 1_500;
/** Closed this much before the time that the app names, so that we close first. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const CONNECT_MS = 5_000;

interface Upstream {
  readonly idle: Client[];
  busy: number;
  usedAtMs: number;
  isForgotten: boolean;
}

/** Undici's raw handler, which its newer one is made of and costs more than. */
export interface UpstreamHandler {
  onConnect(abort: (error?: Error) => void): void;
  onHeaders(status: number, raw: readonly (Buffer | string)[], resume: () => void): boolean;
  onData(chunk: Buffer): boolean;
  onComplete(trailers?: readonly (Buffer | string)[] | null): void;
  onError(error: Error): void;
}

/** A connection taken by one request. Give it back exactly once. */
export interface UpstreamConnection {
  dispatch(options: Dispatcher.DispatchOptions, handler: UpstreamHandler): void;
  /** After a whole, well-formed answer. */
  keep(): void;
  /** After anything else: the connection is closed, never used again. */
  discard(): void;
}

export class Upstreams {
  readonly #clock: Clock;
  readonly #bySocket = new Map<string, Upstream>();

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
    const upstream = this.#upstream(socketPath);
    upstream.busy++;
    return new TakenConnection(upstream, upstream.idle.pop() ?? newClient(socketPath), this.#clock);
  }

  /** Closes the idle connections of an instance that is gone. */
  forget(socketPath: string): void {
    const upstream = this.#bySocket.get(socketPath);
    if (!upstream) return;
    this.#bySocket.delete(socketPath);
    upstream.isForgotten = true;
    for (const client of upstream.idle.splice(0)) destroyClient(client);
  }

  /** Forgets instances that no request went to for a while. Call it now and then. */
  sweep(): void {
    const usedSince = this.#clock.monotonicMs() - LIMITS.upstreamIdleMs;
    for (const [socketPath, upstream] of this.#bySocket) {
      if (upstream.busy === 0 && upstream.usedAtMs < usedSince) this.forget(socketPath);
    }
  }

  /** Closes all idle connections; those in use close when they are given back. */
  close(): void {
    for (const socketPath of [...this.#bySocket.keys()]) this.forget(socketPath);
  }

  #upstream(socketPath: string): Upstream {
    const known = this.#bySocket.get(socketPath);
    if (known) return known;
    const upstream: Upstream = { idle: [], busy: 0, usedAtMs: this.#clock.monotonicMs(), isForgotten: false };
    this.#bySocket.set(socketPath, upstream);
    return upstream;
  }
}

class TakenConnection implements UpstreamConnection {
  readonly #upstream: Upstream;
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(upstream: Upstream, client: Client, clock: Clock) {
    this.#upstream = upstream;
    this.#client = client;
    this.#clock = clock;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: UpstreamHandler): void {
    this.#client.dispatch(options, handler);
  }

  keep(): void {
    this.#giveBack();
    if (this.#upstream.isForgotten) destroyClient(this.#client);
    else this.#upstream.idle.push(this.#client);
  }

  discard(): void {
    this.#giveBack();
    // Not at once: undici's parser may be in the middle of this client's answer.
    queueMicrotask(() => destroyClient(this.#client));
  }

  #giveBack(): void {
    this.#upstream.busy--;
    this.#upstream.usedAtMs = this.#clock.monotonicMs();
  }
}

function newClient(socketPath: string): Client {
  return new Client('http://instance', {
    socketPath,
    pipelining: 1,
    maxHeaderSize: LIMITS.responseHeaderBytesMax,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
    connect: { timeout: CONNECT_MS },
    // Deadlines are the exchange's, which covers more than one attempt.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

function destroyClient(client: Client): void {
  // Destroying never fails in a way that anyone could act on.
  client.destroy().catch(() => undefined);
}
