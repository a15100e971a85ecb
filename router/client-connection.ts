// What the router knows about one connection of a client, for as long as it is open.
import { setMaxListeners } from 'node:events';
import { type Socket } from 'node:net';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { closeAfterReading } from './lingering-close.ts';

/** A request under way, as far as its connection cares. */
export interface ConnectionRequest {
  readonly request: { readonly complete: boolean };
  readonly attempt: { fail(code: ErrorCode): void } | undefined;
}

const NOTHING = Buffer.alloc(0);

export class ClientConnection {
  readonly socket: Socket;
  /** The peer's address without port; IPv4 in its own form. */
  readonly address: string;
  readonly #timers: Timers;
  /** Requests under way, oldest first; more than one only when the client pipelines. */
  readonly #requests = new Set<ConnectionRequest>();
  #gone: AbortController | undefined;
  /** Set once the client sent what is not HTTP; the answer to it waits for the good requests before it. */
  #malformed: { readonly code: ErrorCode; readonly answer: Buffer } | undefined;

  constructor(socket: Socket, timers: Timers) {
    this.socket = socket;
    this.address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
    this.#timers = timers;
  }

  /** Aborts when the connection closes: all its requests lose their client at once. */
  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      setMaxListeners(0, this.#gone.signal);
      if (this.socket.destroyed) this.closed();
    }
    return this.#gone.signal;
  }

  opened(request: ConnectionRequest): void {
    this.#requests.add(request);
  }

  answered(request: ConnectionRequest): void {
    this.#requests.delete(request);
    if (this.#malformed && this.#requests.size === 0) this.#answerMalformed();
  }

  /** Throws ROUTE_QUEUE_FULL when the client pipelines without end. */
  admit(): void {
    if (this.#requests.size > LIMITS.clientRequestsPerConnectionMax) throw new PlatformError('ROUTE_QUEUE_FULL');
  }

  /** The bytes after the last whole request are not HTTP, or did not come in time. */
  malformed(code: ErrorCode, answer: Buffer): void {
    if (this.#malformed) return;
    const last = [...this.#requests].at(-1);
    // Trouble in the body of a request under way, which therefore never ends, is answered as that request.
    const isInBody = last !== undefined && !last.request.complete;
    this.#malformed = { code, answer: isInBody ? NOTHING : answer };
    if (isInBody) last.attempt?.fail(code);
    else if (!last) this.#answerMalformed();
  }

  /** Throws when a request's body can no longer come whole. */
  checkBody({ request }: ConnectionRequest): void {
    if (this.#malformed && !request.complete) throw new PlatformError(this.#malformed.code);
  }

  closed(): void {
    this.#gone?.abort(new PlatformError('CANCELLED'));
  }

  #answerMalformed(): void {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded) return;
    if (this.#malformed) socket.write(this.#malformed.answer);
    closeAfterReading(socket, this.#timers);
  }
}
