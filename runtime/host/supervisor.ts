// Starts the role processes and keeps them running: one that dies is started again, the others never notice.
// What a role does, and in what order roles are started, is the platform's to say.
// Read next: supervised-role.ts, then role-process.ts for the child's side.
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type RoleSpawner, type RoleSpec } from './role-spawner.ts';
import { type RoleStatus, type RoleTimes, SupervisedRole } from './supervised-role.ts';

const TIMES: RoleTimes = { backoffMsMin: 100, backoffMsMax: 5_000, healthyMs: 2_000, readyMsMax: 60_000, stopMsMax: 10_000 };

export interface SupervisorOptions extends Partial<RoleTimes> {
  /** Called at every start that reached ready, the first included. */
  readonly onReady?: (role: string, payload: unknown) => void;
}

export class Supervisor {
  readonly #spawner: RoleSpawner;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #options: SupervisorOptions;
  readonly #roles: SupervisedRole[] = [];
  #closing: Promise<void> | undefined;

  constructor(spawner: RoleSpawner, clock: Clock, timers: Timers, log: Log, options: SupervisorOptions = {}) {
    this.#spawner = spawner;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
    this.#options = options;
  }

  /**
   * Starts a role and keeps it running. Resolves with what it announced when it was ready the first time; throws what it
   * says it failed with (for example PORT_BUSY), and then does not try again.
   */
  start(spec: RoleSpec): Promise<unknown> {
    const role = new SupervisedRole(spec, this.#spawner, this.#clock, this.#timers, this.#log, {
      ...TIMES,
      ...this.#options,
      onReady: (payload) => {
        this.#options.onReady?.(spec.name, payload);
      },
    });
    this.#roles.push(role);
    return role.start();
  }

  /** In the order of their start. */
  status(): readonly RoleStatus[] {
    return this.#roles.map((role) => role.status);
  }

  /** Ends all roles, the last started first, each before the next; one that does not end in time is killed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const role of [...this.#roles].reverse()) await role.stop();
  }
}
