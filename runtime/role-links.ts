// How roles reach each other: over unix sockets when each is a process, by direct calls when all share one.
import { join } from 'node:path';
import { PlatformError } from '../sdk/contract/errors.ts';
import { InProcessRpc, type Rpc, type RpcCallOptions, RpcClient } from '../sdk/contract/wire/client.ts';
import { RpcServer } from '../sdk/contract/wire/server.ts';
import { type Service } from '../sdk/contract/wire/service.ts';
import { type Clock, sleep, type Timers } from '../sdk/support/clock.ts';
import { type Log } from '../sdk/support/log.ts';

export const ROLE_NAMES = ['host', 'datastore', 'control', 'router'] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

export interface RoleLinks {
  /** A caller of that role's services. Calls made before the role is there, or while it restarts, wait for it. */
  connect(role: RoleName): Rpc;
  /** Offers a role's services to the others; returns what takes them back. */
  offer(role: RoleName, services: readonly Service[]): Promise<() => Promise<void>>;
  close(): void;
}

/** Roles are few and ours: these bounds only catch our own bugs. */
const CONNECTIONS_MAX = 64;
const CALLS_IN_FLIGHT_MAX = 20_000;
const HELD_BYTES_MAX = 1024 ** 3;

/** Each role listens on `<runDirectory>/ROLE.sock`, which only the platform's own user can reach. */
export class SocketRoleLinks implements RoleLinks {
  readonly #runDirectory: string;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #clients: RpcClient[] = [];

  constructor(runDirectory: string, clock: Clock, timers: Timers, log: Log) {
    this.#runDirectory = runDirectory;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  connect(role: RoleName): Rpc {
    const client = new RpcClient(this.#pathOf(role), this.#clock, this.#timers);
    this.#clients.push(client);
    return client;
  }

  async offer(role: RoleName, services: readonly Service[]): Promise<() => Promise<void>> {
    const server = new RpcServer(this.#pathOf(role), this.#timers, services, {
      connectionsMax: CONNECTIONS_MAX,
      callsInFlightMax: CALLS_IN_FLIGHT_MAX,
      heldBytesMax: HELD_BYTES_MAX,
      onInternalError: (error, service, method) => {
        this.#log.error('A call between roles failed', { error, service, method });
      },
    });
    await server.start();
    return () => server.close();
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #pathOf(role: RoleName): string {
    return join(this.#runDirectory, `${role}.sock`);
  }
}

const POLL_MS = 5;
const DEADLINE_MS_DEFAULT = 30_000;

/** All roles in this process. */
export class LocalRoleLinks implements RoleLinks {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #offered = new Map<RoleName, InProcessRpc>();

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  connect(role: RoleName): Rpc {
    return { call: (service, method, payload, options) => this.#call(role, service, method, payload, options) };
  }

  offer(role: RoleName, services: readonly Service[]): Promise<() => Promise<void>> {
    this.#offered.set(role, new InProcessRpc(services, this.#timers));
    return Promise.resolve(() => {
      this.#offered.delete(role);
      return Promise.resolve();
    });
  }

  close(): void {
    this.#offered.clear();
  }

  async #call(role: RoleName, service: string, method: string, payload: unknown, options: RpcCallOptions = {}): Promise<unknown> {
    const { deadlineMs = DEADLINE_MS_DEFAULT } = options;
    const endMs = deadlineMs > 0 ? this.#clock.monotonicMs() + deadlineMs : Infinity;
    for (;;) {
      const rpc = this.#offered.get(role);
      if (rpc) return rpc.call(service, method, payload, options);
      if (this.#clock.monotonicMs() >= endMs) throw new PlatformError('RPC_UNAVAILABLE', `the role ${role} is not there`);
      await sleep(this.#timers, POLL_MS, options.signal ? { signal: options.signal } : {});
    }
  }
}
