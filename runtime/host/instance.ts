// Instances as the rest of the runtime sees them: what the host is asked to start, and what it says of what runs.
// The host owns every instance process. Others hold ids and watch; nobody else spawns, signals or meters.
// Read next: instance-host.ts, then ../sandbox/port.ts.
import { type StartPhases } from '../../sdk/contract/cold-start.ts';
import { type MemoryState } from './memory-budget.ts';

/** Everything the host needs to start one instance, independent of any other process. */
export interface InstanceSpec {
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly deploymentId: string;
  /** Read-only code directory on this host. */
  readonly codeDirectory: string;
  /** Argument vector within the sandbox; never a shell string unless the app's own entrypoint is one. */
  readonly command: readonly string[];
  /** The app's variables; the host adds PORT, GAE_INSTANCE and what the sandbox needs. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the platform fetched and the app runs on, such as "nodejs22"; absent: the machine's own programs. */
  readonly runtime?: string;
  readonly memoryBytesMax: number;
  /** The class's name, to speak of its limit. */
  readonly instanceClass?: string;
  readonly pidsMax: number;
  readonly tmpBytesMax: number;
  /** Share of a CPU relative to other instances; 1 is class F1. */
  readonly cpuWeight: number;
  readonly readyMsMax: number;
}

/**
 * States: starting → ready → stopping → exited; starting → exited when it fails; ready → exited when it dies.
 * `stopping`: SIGTERM was sent; what is in flight may finish within the grace time.
 */
export type InstanceState = 'starting' | 'ready' | 'stopping' | 'exited';

export interface InstanceExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** One sentence for people: "exited with code 1", "killed: over its memory limit of 384 MiB". */
  readonly reason: string;
  /** The error code that stands for it. */
  readonly errorCode: 'INSTANCE_EXITED' | 'INSTANCE_NEVER_LISTENED' | 'INSTANCE_SPAWN_FAILED';
  /** The newest bytes of stderr, to explain a failed start. */
  readonly stderrTail: string;
}

export interface InstanceView {
  readonly id: string;
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly deploymentId: string;
  readonly state: InstanceState;
  /** Process id of the sandbox's outermost process on this host. */
  readonly pid?: number;
  /** Directory of this instance's own sockets on the host: app.sock, datastore.sock, api.sock. */
  readonly socketDirectory: string;
  readonly startedAtMs: number;
  readonly phases: StartPhases;
  /** CPU time used so far, read from outside; undefined where the machine cannot tell. */
  readonly cpuMicros?: number;
  readonly memoryBytes?: number;
  /** The limit of its class. */
  readonly memoryBytesMax?: number;
  readonly exit?: InstanceExit;
}

/** Names of the sockets within an instance's socket directory. */
export const APP_SOCKET = 'app.sock';
/** Within the app's own socket directory (APP_SOCKET_DIRECTORY): an empty file that says when the language's program ran. */
export const RUNTIME_MARK = 'runtime';
export const DATASTORE_SOCKET = 'datastore.sock';
/** The public Cloud Datastore v1 API, for Google's own clients: the app's data, whichever project they name. */
export const DATASTORE_V1_SOCKET = 'datastore-v1.sock';
export const API_SOCKET = 'api.sock';
/** HTTP that leaves the sandbox: a forward proxy (services/url-fetch). */
export const EGRESS_SOCKET = 'egress.sock';

/** Instances of the platform itself, such as image workers: sandboxed like any other, but they may call nothing. */
export function isPlatformApp(appId: string): boolean {
  return appId.startsWith('~');
}

/** What this machine has for instances. */
export interface HostCapacity {
  readonly instances: number;
  readonly instancesMax: number;
  /** Absent when there is no bound. */
  readonly memory?: MemoryState;
}

/** What the host offers to the scheduler, the API gateways and the control plane. Served as RPC service `host`. */
export interface InstanceHost {
  /** Returns as soon as the instance exists in state `starting`. Throws INSTANCE_LIMIT, INSTANCE_MEMORY, RUNTIME_MISSING. */
  start(spec: InstanceSpec): Promise<{ readonly id: string }>;
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves once it is `stopping`; unknown ids are ignored. */
  stop(id: string, options: { readonly graceMs: number }): Promise<void>;
  capacity(): Promise<HostCapacity>;
  /** All that have not exited. */
  list(): Promise<readonly InstanceView[]>;
  /**
   * Calls `onChange` with each instance that is not exited, then on every change of state, `exited` being the last of an
   * instance. After a lost connection the same again, so listeners treat it as the whole truth: `onReset` comes first.
   * `onPressure` comes again and again while the memory for instances is nearly used up: idle ones should go.
   */
  watch(listener: {
    readonly onReset: () => void;
    readonly onChange: (view: InstanceView) => void;
    readonly onPressure?: () => void;
  }): () => void;
}
