// How the supervisor starts a process, as a port. Twin: MemoryRoleSpawner.
import { spawn } from 'node:child_process';
import { assert } from '../../sdk/support/assert.ts';
import { type FromRole, isFromRole, type ToRole } from './role-message.ts';

export interface RoleSpec {
  /** For people and for status: `router`, `control`, `datastore`. */
  readonly name: string;
  /** Executable first. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export interface RoleExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface RoleChild {
  readonly pid: number | undefined;
  /** Resolves once, when the process has ended or could not be started. */
  readonly exited: Promise<RoleExit>;
  onMessage(listener: (message: FromRole) => void): void;
  send(message: ToRole): void;
  kill(): void;
}

export interface RoleSpawner {
  spawn(role: Pick<RoleSpec, 'name' | 'argv' | 'environment'>): RoleChild;
}

/** Children share standard output and error with this process, and lose their channel when it dies. */
export class NodeRoleSpawner implements RoleSpawner {
  spawn({ argv, environment }: Pick<RoleSpec, 'name' | 'argv' | 'environment'>): RoleChild {
    const [program, ...rest] = argv;
    assert(program, 'a role has an executable');
    const child = spawn(program, rest, { env: { ...environment }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    return {
      pid: child.pid,
      exited: new Promise((resolve) => {
        child.once('exit', (code, signal) => {
          resolve({ code, signal });
        });
        child.once('error', () => {
          if (child.pid === undefined) resolve({ code: null, signal: null });
        });
      }),
      onMessage: (listener) => {
        child.on('message', (message) => {
          if (isFromRole(message)) listener(message);
        });
      },
      send: (message) => {
        // A child that just died has no channel; its exit says so.
        if (child.connected) child.send(message, () => undefined);
      },
      kill: () => {
        child.kill('SIGKILL');
      },
    };
  }
}

/** A child that a test plays. */
export class MemoryRoleChild implements RoleChild {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly exited: Promise<RoleExit>;
  readonly sent: ToRole[] = [];
  killed = false;
  #listener: (message: FromRole) => void = () => undefined;
  #resolve: (exit: RoleExit) => void = () => undefined;

  constructor(pid: number, argv: readonly string[]) {
    this.pid = pid;
    this.argv = argv;
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onMessage(listener: (message: FromRole) => void): void {
    this.#listener = listener;
  }

  send(message: ToRole): void {
    this.sent.push(message);
  }

  kill(): void {
    this.killed = true;
    this.exit({ code: null, signal: 'SIGKILL' });
  }

  say(message: FromRole): void {
    this.#listener(message);
  }

  exit(exit: RoleExit): void {
    this.#resolve(exit);
  }
}

export class MemoryRoleSpawner implements RoleSpawner {
  /** Every child in the order of its start. */
  readonly children: MemoryRoleChild[] = [];
  readonly names: string[] = [];

  spawn({ name, argv }: Pick<RoleSpec, 'name' | 'argv' | 'environment'>): RoleChild {
    const child = new MemoryRoleChild(this.children.length + 1, argv);
    this.children.push(child);
    this.names.push(name);
    return child;
  }
}
