// The calls that instances make: one listening socket for each instance, whose place in the file system is its identity.
// It must not know any service: whoever builds it says what an instance may call.
// Read next: service-table.ts for what each call passes; ../platform/ for who builds which gateway.
import { join } from 'node:path';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { type Service } from '../../sdk/contract/wire/service.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceHost, type InstanceView, isPlatformApp } from '../host/instance.ts';

/** Other users of the machine are kept out by the directory (0700); inside the sandbox the app has another uid. */
export const SOCKET_MODE = 0o666;

export interface InstanceGatewayOptions {
  /** Name of the socket within each instance's directory: DATASTORE_SOCKET, API_SOCKET, EGRESS_SOCKET. */
  readonly socketName: string;
  /** What listens at `path` for that instance; it is started and closed here. */
  readonly listenerOf: (instance: InstanceView, path: string) => InstanceListener;
}

export interface InstanceListener {
  /** Listens; a socket file left by a dead process is replaced. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A listener that speaks the wire. */
export function wireListener(
  path: string,
  instance: InstanceView,
  services: readonly Service[],
  timers: Timers,
  log: Log,
): InstanceListener {
  return new RpcServer(path, timers, services, {
    mode: SOCKET_MODE,
    onInternalError: (error, service, method) => {
      log.error('A service failed', { error, service, method, appId: instance.appId, instanceId: instance.id });
    },
  });
}

/**
 * Follows the host's list of instances and keeps exactly one socket open for each. After a restart of this process, or
 * of the host, it ends up at the same state: the list is the whole truth, no event needs to have been seen.
 */
export class InstanceGateway {
  readonly #host: InstanceHost;
  readonly #log: Log;
  readonly #options: InstanceGatewayOptions;
  readonly #servers = new Map<string, InstanceListener>();
  #stopWatching: (() => void) | undefined;

  constructor(host: InstanceHost, log: Log, options: InstanceGatewayOptions) {
    this.#host = host;
    this.#log = log;
    this.#options = options;
  }

  start(): void {
    this.#stopWatching = this.#host.watch({
      onReset: () => void this.#reconcile(),
      onChange: (view) => {
        if (view.state === 'exited') void this.#close(view.id);
        else void this.#open(view);
      },
    });
  }

  async close(): Promise<void> {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    await Promise.all([...this.#servers.keys()].map((id) => this.#close(id)));
  }

  /** Instances whose socket is open here. */
  get openIds(): readonly string[] {
    return [...this.#servers.keys()];
  }

  async #reconcile(): Promise<void> {
    try {
      const alive = new Set((await this.#host.list()).map((view) => view.id));
      for (const id of this.#servers.keys()) if (!alive.has(id)) void this.#close(id);
    } catch (error) {
      // The watch starts anew when the host is back, and comes here again.
      this.#log.warn('The list of instances could not be read', { error });
    }
  }

  async #open(view: InstanceView): Promise<void> {
    if (this.#servers.has(view.id) || isPlatformApp(view.appId)) return;
    const path = join(view.socketDirectory, this.#options.socketName);
    const server = this.#options.listenerOf(view, path);
    this.#servers.set(view.id, server);
    try {
      await server.start();
    } catch (error) {
      // The instance may have exited, directory and all, before its event arrived.
      this.#servers.delete(view.id);
      this.#log.warn('A socket for an instance could not be opened', { error, instanceId: view.id });
    }
  }

  async #close(id: string): Promise<void> {
    const server = this.#servers.get(id);
    this.#servers.delete(id);
    await server?.close();
  }
}
