// The sandbox: what separates an app from the machine and from other apps. Adapters start one command each, nothing else:
// when to start, stop or restart is the host's to decide, and limits on memory and CPU are resource-control.ts. What the process
// adapter does not give: read-only files, a /tmp and network of its own, a filter of system calls, `user`, limits of files.
// Read next: bubblewrap-sandbox.ts, then ../host/instance-host.ts.
import { type Readable } from 'node:stream';
import { type AppUser } from './app-users.ts';
import { type ResourceGroup } from './resource-control.ts';

/** Where things are inside. An adapter that cannot mount replaces these paths in argument vector and environment. */
export const CODE_DIRECTORY = '/srv/app';
/** The platform's packages, found from CODE_DIRECTORY by Node's own rule for `node_modules`. */
export const PACKAGES_DIRECTORY = '/srv/node_modules';
/** What the platform itself adds to a language, such as Node's preload. */
export const PLATFORM_DIRECTORY = '/srv/platform';
/** Programs that the platform fetched for a runtime, each in a directory of its name: see ../host/runtime-directory.ts. */
export const RUNTIMES_DIRECTORY = '/opt/runtimes';
/** The sockets of the instance: read-only, but for APP_SOCKET_DIRECTORY. */
export const SOCKETS_DIRECTORY = '/run/appengine';
/** The one place where the app makes its own socket: no part of the host's disk, so that it is no way to fill that. */
export const APP_SOCKET_DIRECTORY = '/run/appengine/app';

export interface ReadOnlyMount {
  /** File or directory on this host. */
  readonly from: string;
  /** Below PACKAGES_DIRECTORY, PLATFORM_DIRECTORY or RUNTIMES_DIRECTORY. */
  readonly to: string;
}

export interface SandboxSpec {
  /** Argument vector; its first element is looked up in the environment's PATH inside. */
  readonly command: readonly string[];
  /** All of the environment: nothing is inherited. PATH and HOME are added where it has none. */
  readonly environment: Readonly<Record<string, string>>;
  /** Appears as CODE_DIRECTORY, the working directory. Writable for builds alone. */
  readonly code: { readonly directory: string; readonly writable: boolean };
  /** Appears as SOCKETS_DIRECTORY; must contain an empty directory `app`, where APP_SOCKET_DIRECTORY appears. */
  readonly socketDirectory?: string;
  readonly readOnlyMounts: readonly ReadOnlyMount[];
  /** Directories inside that come before all others in PATH. */
  readonly programDirectories?: readonly string[];
  /** Size of what it may write: /tmp, /dev/shm and APP_SOCKET_DIRECTORY together. Their files are limited with it. */
  readonly tmpBytesMax: number;
  /** Whether it may reach the network as this machine does. False: a loopback of its own, nothing else. */
  readonly network: boolean;
  /** Whom it runs as on this host; absent: whoever runs the platform. An adapter that cannot does not. */
  readonly user?: AppUser;
}

export interface SandboxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** False when the sandbox failed before the command ran: stderr says why. */
  readonly started: boolean;
}

export interface SandboxProcess {
  /** The outermost process on this host; undefined when not even that could be started. */
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once the command was handed to the kernel, or the sandbox failed. */
  readonly spawned: Promise<void>;
  /** Resolves when the command ended. Never rejects. What it left behind is the resource group's to kill. */
  readonly exited: Promise<SandboxExit>;
  /** Where this host finds APP_SOCKET_DIRECTORY; undefined until it is there, and without a socket directory. */
  appSocketDirectory(): string | undefined;
  /** Files in one of the places where the app may write, each call another one; undefined where nobody can tell, or need to. */
  filesWritten(): number | undefined;
  /** SIGTERM reaches the app's main process, SIGKILL all of the sandbox. After the exit it does nothing. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** A sandbox that waits for what to run: the slow part of a start, done ahead of time. */
export interface PreparedSandbox {
  /** Becomes a member of `group`, soon. Once, before `run`. */
  join(group: ResourceGroup): void;
  /** Once only. */
  run(spec: SandboxSpec): SandboxProcess;
  /** Instead of `run`. Resolves when nothing of it is left. */
  discard(): Promise<void>;
}

/** Twin for tests of the host's own logic: none; the process adapter is quick enough to be used as it is. */
export interface Sandbox {
  readonly kind: 'bubblewrap' | 'process';
  /** For people: what this adapter does not separate or limit on this machine. */
  readonly warnings: readonly string[];
  /** Checks that it works on this machine. Throws INSTANCE_SPAWN_FAILED saying what is missing and how to install it. */
  start(): Promise<void>;
  /** Starts what can be started before it is known what to run. */
  prepare(): PreparedSandbox;
}
