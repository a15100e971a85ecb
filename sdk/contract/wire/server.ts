// Listens on a unix socket and serves the same services to every connection.
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { type Timers } from '../../support/clock.ts';
import { LIMITS } from '../limits.ts';
import { HeldCalls } from './held-calls.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type Service } from './service.ts';

export interface RpcServerOptions extends Omit<ConnectionOptions, 'held'> {
  /** Bytes of calls under way, all connections together; beyond, further calls are not read. */
  readonly heldBytesMax?: number;
  readonly connectionsMax?: number;
  /** Mode of the socket file; 0o600 unless others must reach it. */
  readonly mode?: number;
}

export class RpcServer {
  readonly #path: string;
  readonly #timers: Timers;
  readonly #services: readonly Service[];
  readonly #options: RpcServerOptions;
  readonly #held: HeldCalls;
  readonly #connections = new Set<Connection>();
  #server: Server | undefined;

  constructor(path: string, timers: Timers, services: readonly Service[], options: RpcServerOptions = {}) {
    this.#path = path;
    this.#timers = timers;
    this.#services = services;
    this.#options = options;
    this.#held = new HeldCalls(options.heldBytesMax ?? LIMITS.wireHeldBytesMax);
  }

  /** Listens; a socket file left by a dead process is replaced. */
  async start(): Promise<void> {
    await rm(this.#path, { force: true });
    const server = createServer((socket) => {
      if (this.#connections.size >= (this.#options.connectionsMax ?? LIMITS.wireConnectionsMax)) {
        socket.destroy();
        return;
      }
      const connection = new Connection(socket, this.#timers, this.#services, { ...this.#options, held: this.#held });
      this.#connections.add(connection);
      void connection.closed.then(() => this.#connections.delete(connection));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#path, resolve);
    });
    await chmod(this.#path, this.#options.mode ?? 0o600);
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const stopped = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    for (const connection of this.#connections) connection.close();
    await stopped;
  }
}
