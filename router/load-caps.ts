// How much of the router one app, one client address and all of them together may hold at once: connections and
// requests under way, which are memory and open files. An app that never answers fills its own share and no other's.
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { addressKey } from '../sdk/support/attempt-limit.ts';

export interface Caps {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly requests: number;
  readonly requestsPerApp: number;
  readonly requestsPerAddress: number;
}

const CAPS: Caps = {
  connections: LIMITS.clientConnectionsMax,
  connectionsPerAddress: LIMITS.clientConnectionsPerAddressMax,
  requests: LIMITS.requestsInFlightMax,
  requestsPerApp: LIMITS.requestsInFlightPerAppMax,
  requestsPerAddress: LIMITS.requestsInFlightPerAddressMax,
};

/** For logs, blobs, other roles and what the runtime itself holds open. */
const OTHER_FILES = 1_000;
/** Of a request: the file that it is answered from, or its connection to an instance and one that it left idle there. */
const FILES_PER_REQUEST = 2;

/** Files that may be open at once when everything is full. */
export function openFilesOf(caps: Caps): number {
  return caps.connections + FILES_PER_REQUEST * caps.requests + OTHER_FILES;
}

/** The caps that fit under the process's limit of open files; undefined: no limit is known. */
export function capsWithin(openFilesMax: number | undefined, caps: Caps = CAPS): Caps {
  if (openFilesMax === undefined || openFilesMax >= openFilesOf(caps)) return caps;
  const others = Math.min(OTHER_FILES, Math.floor(openFilesMax / 2));
  const share = (openFilesMax - others) / (openFilesOf(caps) - OTHER_FILES);
  const less = (count: number): number => Math.max(1, Math.floor(count * share));
  const [connections, requests] = [less(caps.connections), less(caps.requests)];
  return {
    connections,
    connectionsPerAddress: Math.min(caps.connectionsPerAddress, Math.ceil(connections / 3)),
    requests,
    requestsPerApp: less(caps.requestsPerApp),
    requestsPerAddress: Math.min(caps.requestsPerAddress, Math.ceil(requests / 3)),
  };
}

/** What one app or one client address holds now. */
export interface Load {
  readonly key: string;
  connections: number;
  requests: number;
}

/** Loads by app or address. */
class Loads {
  readonly #byKey = new Map<string, Load>();

  of(key: string): Load {
    const known = this.#byKey.get(key);
    if (known) return known;
    const load: Load = { key, connections: 0, requests: 0 };
    this.#byKey.set(key, load);
    return load;
  }

  /** Forgets it when it holds nothing. */
  left(load: Load): void {
    if (load.connections === 0 && load.requests === 0) this.#byKey.delete(load.key);
  }

  get size(): number {
    return this.#byKey.size;
  }
}

export class LoadCaps {
  readonly caps: Caps;
  readonly #apps = new Loads();
  readonly #addresses = new Loads();
  #connections = 0;
  #requests = 0;

  constructor(caps: Caps) {
    this.caps = caps;
  }

  /** Whether it is time to close idle connections: a twentieth of the places is left. */
  get isNearlyFull(): boolean {
    return this.#connections >= this.caps.connections - Math.ceil(this.caps.connections / 20);
  }

  /** Addresses that hold something. */
  get addresses(): number {
    return this.#addresses.size;
  }

  /** Undefined when the address, or the router, has as many as it may. `isTrusted`: it speaks for many clients. */
  connect(address: string, isTrusted: boolean): Load | undefined {
    const load = this.#addresses.of(addressKey(address));
    if (this.#connections >= this.caps.connections || (!isTrusted && load.connections >= this.caps.connectionsPerAddress)) {
      this.#addresses.left(load);
      return undefined;
    }
    this.#connections++;
    load.connections++;
    return load;
  }

  disconnect(load: Load): void {
    this.#connections--;
    load.connections--;
    this.#addresses.left(load);
  }

  /** What an address holds: one that is connected, or one that a trusted proxy speaks for. */
  loadOf(address: string): Load {
    return this.#addresses.of(addressKey(address));
  }

  /** A request begins, whatever is decided about it; `leave` ends it. */
  enter(client: Load): void {
    this.#requests++;
    client.requests++;
  }

  leave(client: Load, app: Load | undefined): void {
    this.#requests--;
    client.requests--;
    if (client.requests === 0) this.#addresses.left(client);
    // Apps are few, and the next request comes soon: they are not forgotten.
    if (app) app.requests--;
  }

  /** Throws ROUTE_CLIENT_BUSY, ROUTE_OVERLOADED. */
  admitClient(client: Load): void {
    if (client.requests > this.caps.requestsPerAddress) throw new PlatformError('ROUTE_CLIENT_BUSY');
    if (this.#requests > this.caps.requests) throw new PlatformError('ROUTE_OVERLOADED');
  }

  /** The app's load with this request in it. Throws ROUTE_APP_BUSY. */
  enterApp(appId: string): Load {
    const load = this.#apps.of(appId);
    if (load.requests >= this.caps.requestsPerApp) throw new PlatformError('ROUTE_APP_BUSY');
    load.requests++;
    return load;
  }
}
