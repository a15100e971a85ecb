// The calls of one server under way, whichever way they came: who may call, how many at once, and what becomes of errors.
// Read next: grpc-front.ts and http-front.ts, which bring them.
import { PlatformError, toPlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type Log } from '../../../../sdk/support/log.ts';
import { type Authenticate, type V1Credentials, type V1Identity } from './identity.ts';
import { type V1Method, type V1Service } from '../port.ts';

/**
 * Those that may answer megabytes. The others never wait for room: a read may wait for a lock, and so for somebody's commit or rollback.
 */
const LARGE: ReadonlySet<V1Method> = new Set<V1Method>(['Lookup', 'RunQuery']);

export interface V1CallOptions {
  readonly authenticate: Authenticate;
  /** Calls at work at once. */
  readonly callsMax: number;
  /** Bytes of requests that are held, half received ones among them. */
  readonly heldBytesMax: number;
  /** Bytes of answers that clients have not read: beyond, reads wait with what they would answer. */
  readonly unreadBytesMax: number;
}

export class V1Calls {
  readonly #service: V1Service;
  readonly #log: Log;
  readonly #options: V1CallOptions;
  #underWay = 0;
  #heldBytes = 0;
  #unreadBytes = 0;
  /** Reads that wait for room for their answers, in the order in which they came. */
  readonly #waiting = new Set<() => void>();

  constructor(service: V1Service, log: Log, options: V1CallOptions) {
    this.#service = service;
    this.#log = log;
    this.#options = options;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Throws PlatformError alone. */
  identify(credentials: V1Credentials): Promise<V1Identity> {
    return this.attempt('authenticate', () => this.#options.authenticate(credentials));
  }

  /** The answer's bytes. Throws as `attempt` does, and RPC_OVERLOADED. */
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
      if (LARGE.has(method)) await this.#takeRoom(signal);
      return await this.attempt(method, () => this.#service.call(method, request, { appOf, isReadOnly, signal }));
    } finally {
      this.#underWay--;
      if (LARGE.has(method)) this.read(LIMITS.v1AnswerBytesReserved);
    }
  }

  /** Throws PlatformError alone; what is our own fault has been logged then, with the name of what was done. */
  async attempt<T>(method: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const error = toPlatformError(thrown);
      if (error.row.grpc === 'INTERNAL') this.#log.error('A call of the datastore API failed', { method, error });
      throw error;
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

  /** An answer, or a part of it, is on its way to a client. Say `read` of as much once it is there, or will never be. */
  answered(bytes: number): void {
    this.#unreadBytes += bytes;
  }

  read(bytes: number): void {
    this.#unreadBytes -= bytes;
    for (const wake of this.#waiting) {
      if (!this.#hasRoom) return;
      wake();
    }
  }

  get #hasRoom(): boolean {
    return this.#unreadBytes + LIMITS.v1AnswerBytesReserved <= this.#options.unreadBytesMax;
  }

  /** Whoever gave up takes it as well: the service sees that, and is done at once. */
  async #takeRoom(signal: AbortSignal): Promise<void> {
    if (this.#hasRoom && this.#waiting.size === 0) {
      this.answered(LIMITS.v1AnswerBytesReserved);
      return;
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        this.answered(LIMITS.v1AnswerBytesReserved);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }
}
