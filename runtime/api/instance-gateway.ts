// The calls that instances make: one listening socket for each instance, whose place in the file system is its identity.
// It must not know any service: whoever builds it says what an instance may call.
// Read next: app-identity.ts for a service; ../platform/ for who builds which gateway.
import { join } from 'node:path';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { type Service } from '../../sdk/contract/wire/service.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceHost, type InstanceView } from '../host/instance.ts';

/** Other users of the machine are kept out by the directory (0700); inside the sandbox the app has another uid. */
const SOCKET_MODE = 0o666;

export interface InstanceGatewayOptions {
  /** Name of the socket within each instance's directory: DATASTORE_SOCKET or API_SOCKET. */
  readonly socketName: string;
  readonly servicesOf: (instance: InstanceView) => readonly Service[];
}

/**
 * Follows the host's list of instances and keeps exactly one socket open for each. After a restart of this process, or
 * of the host, it ends up at the same state: the list is the whole truth, no event needs to have been seen.
 */
export class InstanceGateway {
  readonly #host: InstanceHost;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #options: InstanceGatewayOptions;
  readonly #servers = new Map<string, RpcServer>();
  #stopWatching: (() => void) | undefined;

  constructor(host: InstanceHost, timers: Timers, log: Log, options: InstanceGatewayOptions) {
    this.#host = host;
    this.#timers = timers;
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
    if (this.#servers.has(view.id)) return;
    const path = join(view.socketDirectory, this.#options.socketName);
    const server = new RpcServer(path, this.#timers, this.#options.servicesOf(view), {
      mode: SOCKET_MODE,
      onInternalError: (error, service, method) => {
        this.#log.error('A service failed', { error, service, method, appId: view.appId, instanceId: view.id });
      },
    });
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
