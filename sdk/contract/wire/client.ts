// A caller that keeps a connection to a unix socket, and makes it anew when the other side restarts.
import { connect } from 'node:net';
import { type Clock, sleep, type Timers } from '../../support/clock.ts';
import { PlatformError } from '../errors.ts';
import { type CallOptions, Connection } from './connection.ts';
import { type Service } from './service.ts';

export interface RpcCallOptions extends CallOptions {
  /** Whether the call may be made again when the connection broke under way. Calls never sent are always retried. */
  readonly idempotent?: boolean;
}

/** What a consumer of another role needs. Twin: `InProcessRpc`. */
export interface Rpc {
  call(service: string, method: string, payload: unknown, options?: RpcCallOptions): Promise<unknown>;
}

const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 200;
const DEADLINE_MS_DEFAULT = 30_000;

/**
 * Calls a server on a unix socket. While nobody listens, calls wait and try again with back-off until their deadline
 * (default 30 s), then fail with RPC_UNAVAILABLE.
 */
export class RpcClient implements Rpc {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #services: readonly Service[];
  #connection: Promise<Connection> | undefined;
  #closed = false;

  constructor(path: string, clock: Clock, timers: Timers, services: readonly Service[] = []) {
    this.#path = path;
    this.#clock = clock;
    this.#timers = timers;
    this.#services = services;
  }

  async call(service: string, method: string, payload: unknown, options: RpcCallOptions = {}): Promise<unknown> {
    const { deadlineMs = DEADLINE_MS_DEFAULT, idempotent = false, ...rest } = options;
    const endMs = deadlineMs > 0 ? this.#clock.monotonicMs() + deadlineMs : Infinity;
    for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0) throw new PlatformError('RPC_UNAVAILABLE', `${service}.${method} found nobody within ${deadlineMs} ms`);
      try {
        const connection = await this.#open();
        return await connection.call(service, method, payload, { ...rest, deadlineMs: leftMs === Infinity ? 0 : Math.ceil(leftMs) });
      } catch (error) {
        if (this.#closed || !this.#mayRetry(error, idempotent)) throw error;
      }
      await sleep(
        this.#timers,
        Math.min(waitMs, Math.max(0, endMs - this.#clock.monotonicMs())),
        rest.signal ? { signal: rest.signal } : {},
      );
    }
  }

  close(): void {
    this.#closed = true;
    void this.#connection?.then(
      (connection) => {
        connection.close();
      },
      () => undefined,
    );
  }

  #mayRetry(error: unknown, idempotent: boolean): boolean {
    if (!(error instanceof PlatformError)) return false;
    if (error.code === 'RPC_UNAVAILABLE') return true;
    return error.code === 'RPC_CONNECTION_LOST' && idempotent;
  }

  async #open(): Promise<Connection> {
    if (this.#closed) throw new PlatformError('RPC_UNAVAILABLE', 'this client is closed');
    const current = this.#connection;
    if (current) {
      const connection = await current;
      if (!connection.isClosed) return connection;
      // Of all callers that see the dead connection, the first replaces it and the others join the new one.
      if (this.#connection === current) this.#connection = undefined;
      return this.#open();
    }
    const opening = this.#connect();
    this.#connection = opening;
    opening.catch(() => {
      if (this.#connection === opening) this.#connection = undefined;
    });
    return opening;
  }

  #connect(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path);
      socket.once('error', (cause) => {
        reject(new PlatformError('RPC_UNAVAILABLE', undefined, { cause }));
      });
      socket.once('connect', () => {
        resolve(new Connection(socket, this.#timers, this.#services));
      });
    });
  }
}

/** The in-process twin: calls handlers directly, as `--role=all` does. */
export class InProcessRpc implements Rpc {
  readonly #services: ReadonlyMap<string, Service>;
  readonly #timers: Timers;

  constructor(services: readonly Service[], timers: Timers) {
    this.#services = new Map(services.map((service) => [service.name, service]));
    this.#timers = timers;
  }

  async call(service: string, method: string, payload: unknown, options: RpcCallOptions = {}): Promise<unknown> {
    const handler = this.#services.get(service)?.methods[method];
    if (!handler) throw new PlatformError('RPC_UNKNOWN_METHOD', `${service}.${method}`);
    const abort = new AbortController();
    const { deadlineMs = 0, onEvent, signal } = options;
    const onAbort = (): void => {
      abort.abort(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const cancel =
      deadlineMs > 0
        ? this.#timers.after(deadlineMs, () => {
            abort.abort(new PlatformError('DEADLINE_EXCEEDED'));
          })
        : undefined;
    try {
      return await handler(payload, {
        signal: abort.signal,
        emit: (event) => {
          onEvent?.(event);
          return Promise.resolve();
        },
      });
    } finally {
      cancel?.();
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
