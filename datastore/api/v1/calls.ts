// The calls of one server under way, whichever way they came: who may call, how many at once, and what becomes of errors.
// Read next: grpc-front.ts and http-front.ts, which bring them.
import { PlatformError, toPlatformError } from '../../../sdk/contract/errors.ts';
import { type Log } from '../../../sdk/support/log.ts';
import { type Authenticate, type V1Credentials, type V1Identity } from './identity.ts';
import { type V1Method, type V1Service } from './port.ts';

export interface V1CallOptions {
  readonly authenticate: Authenticate;
  /** Calls at work at once. */
  readonly callsMax: number;
  /** Bytes of requests that are held, half received ones among them. */
  readonly heldBytesMax: number;
}

export class V1Calls {
  readonly #service: V1Service;
  readonly #log: Log;
  readonly #options: V1CallOptions;
  #underWay = 0;
  #heldBytes = 0;

  constructor(service: V1Service, log: Log, options: V1CallOptions) {
    this.#service = service;
    this.#log = log;
    this.#options = options;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Throws PlatformError alone. */
  async identify(credentials: V1Credentials): Promise<V1Identity> {
    try {
      return await this.#options.authenticate(credentials);
    } catch (thrown) {
      throw this.#told(thrown, 'authenticate');
    }
  }

  /** The answer's bytes. Throws PlatformError alone; what is our own fault has been logged then. */
  async run(
    method: V1Method,
    request: Buffer,
    { appOf, isReadOnly = false }: V1Identity,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Buffer> {
    if (this.#underWay >= this.#options.callsMax) {
      throw new PlatformError('RPC_OVERLOADED', `${this.#underWay} calls are at work on this port`);
    }
    this.#underWay++;
    try {
      return await this.#service.call(method, request, { appOf, isReadOnly, signal });
    } catch (thrown) {
      throw this.#told(thrown, method);
    } finally {
      this.#underWay--;
    }
  }

  /** Takes room for bytes of a request that came; false when there is none. Give back what was taken, when the call has ended. */
  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#options.heldBytesMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  #told(thrown: unknown, method: string): PlatformError {
    const error = toPlatformError(thrown);
    if (error.row.grpc === 'INTERNAL') this.#log.error('A call of the datastore API failed', { method, error });
    return error;
  }
}
