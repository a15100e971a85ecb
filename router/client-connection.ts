// What the router knows about one connection of a client, for as long as it is open.
import { setMaxListeners } from 'node:events';
import { type Socket } from 'node:net';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock, type Timers } from '../sdk/support/clock.ts';
import { type Load } from './load-caps.ts';
import { closeAfterReading, lingerOnClose } from '../sdk/support/lingering-close.ts';

/** A request under way, as far as its connection cares. */
export interface ConnectionRequest {
  readonly request: { readonly complete: boolean };
  readonly attempt: { fail(code: ErrorCode): void } | undefined;
  /** The connection is closed; a second call does nothing. */
  closed(): void;
}

/** Whoever asks, as far as one request cares: a connection of HTTP/1, or a stream of an HTTP/2 connection. */
export interface RequestClient {
  /** The peer's address without port; IPv4 in its own form. */
  readonly address: string;
  /** Whether it came in on the platform's private socket. */
  readonly isPlatform: boolean;
  /** Whether this router ended the TLS. */
  readonly isTls: boolean;
  readonly load: Load;
  /** Whether requests that still arrive on it must not be served. */
  readonly isEnding: boolean;
  /** Aborts when the client of its requests goes away. */
  readonly gone: AbortSignal;
  opened(request: ConnectionRequest): void;
  answered(request: ConnectionRequest): void;
  /** Whether its answer is not waiting for that of another. */
  sends(request: ConnectionRequest): boolean;
  /** Throws ROUTE_QUEUE_FULL when the client pipelines without end. */
  admit(): void;
  /** Why a request's body can no longer come whole, if so. */
  bodyError(request: ConnectionRequest): ErrorCode | undefined;
  /**
   * The answer under way is the last: what the client sent after the request that was refused may be the hidden half
   * of a smuggled one.
   */
  end(): void;
  /**
   * The client sends without end. It gets the answer under way, if there is one, and the time to read it; only then is
   * the connection closed. Calls after the first do nothing.
   */
  closeAfterAnswer(): void;
}

export interface ConnectionOptions {
  /** What its address holds, this connection among it. */
  readonly load: Load;
  readonly isPlatform?: boolean;
  readonly isTls?: boolean;
}

const NOTHING = Buffer.alloc(0);

export class ClientConnection implements RequestClient {
  readonly socket: Socket;
  readonly address: string;
  readonly isPlatform: boolean;
  readonly isTls: boolean;
  readonly load: Load;
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** Requests under way, oldest first; more than one only when the client pipelines. */
  readonly #requests: ConnectionRequest[] = [];
  /** Monotonic time since which no request is under way. */
  #idleSinceMs: number;
  #isUpgraded = false;
  #isEnding = false;
  #isClosingAfterAnswer = false;
  #gone: AbortController | undefined;
  /** Set once the client sent what is not HTTP; the answer to it waits for the good requests before it. */
  #malformed: { readonly code: ErrorCode; readonly answer: Buffer } | undefined;

  constructor(socket: Socket, clock: Clock, timers: Timers, options: ConnectionOptions) {
    this.socket = socket;
    this.isPlatform = options.isPlatform ?? false;
    this.isTls = options.isTls ?? false;
    this.load = options.load;
    this.#clock = clock;
    this.#idleSinceMs = clock.monotonicMs();
    this.address = peerAddress(socket);
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
    this.#requests.push(request);
  }

  answered(request: ConnectionRequest): void {
    if (this.#requests.at(-1) === request) this.#requests.pop();
    else this.#requests.splice(this.#requests.indexOf(request), 1);
    if (this.#requests.length > 0) return;
    this.#idleSinceMs = this.#clock.monotonicMs();
    if (this.#malformed) this.#answerMalformed();
    else if (this.#isClosingAfterAnswer) closeAfterReading(this.socket, this.#timers);
  }

  sends(request: ConnectionRequest): boolean {
    return this.#requests[0] === request;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  end(): void {
    this.#isEnding = true;
    lingerOnClose(this.socket, this.#timers);
  }

  closeAfterAnswer(): void {
    if (this.#isClosingAfterAnswer) return;
    this.#isClosingAfterAnswer = true;
    this.end();
    if (this.#requests.length === 0) closeAfterReading(this.socket, this.#timers);
  }

  /** From now on it carries no requests. */
  upgraded(): void {
    this.#isUpgraded = true;
  }

  /** Whether it has carried no request since `sinceMs`, monotonic. */
  isIdleSince(sinceMs: number): boolean {
    return !this.#isUpgraded && this.#requests.length === 0 && this.#idleSinceMs < sinceMs;
  }

  admit(): void {
    if (this.#requests.length > LIMITS.clientRequestsPerConnectionMax) throw new PlatformError('ROUTE_QUEUE_FULL');
  }

  /** The bytes after the last whole request are not HTTP, or did not come in time. */
  malformed(code: ErrorCode, answer: Buffer): void {
    if (this.#malformed) return;
    const last = this.#requests.at(-1);
    // Trouble in the body of a request under way, which therefore never ends, is answered as that request.
    const isInBody = last !== undefined && !last.request.complete;
    this.#malformed = { code, answer: isInBody ? NOTHING : answer };
    if (isInBody) last.attempt?.fail(code);
    else if (!last) this.#answerMalformed();
  }

  /** Whether what it sent after its requests, if any, was not HTTP: nothing that follows is looked at. */
  get isMalformed(): boolean {
    return this.#malformed !== undefined;
  }

  bodyError({ request }: ConnectionRequest): ErrorCode | undefined {
    return this.#malformed && !request.complete ? this.#malformed.code : undefined;
  }

  closed(): void {
    this.#gone?.abort(new PlatformError('CANCELLED'));
    // Node tells only the response whose turn it is; those of pipelined requests behind it would wait for ever.
    for (const request of [...this.#requests]) request.closed();
  }

  #answerMalformed(): void {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded) return;
    if (this.#malformed) socket.write(this.#malformed.answer);
    closeAfterReading(socket, this.#timers);
  }
}

export function peerAddress(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}
