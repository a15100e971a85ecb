// One connection, seen from either side: calls out, calls in, many at a time.
//
// States: open → closed. Nothing is sent or received after closed; open calls fail with RPC_CONNECTION_LOST.
import { type Duplex } from 'node:stream';
import { type Cancel, type Timers } from '../../support/clock.ts';
import { errorFromBody, PlatformError, toPlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { FrameReader } from './frame.ts';
import { type HeldCalls } from './held-calls.ts';
import { encodeMessage, type Message, messageFromWire } from './message.ts';
import { type Service } from './service.ts';

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; 0 or absent for none. */
  readonly deadlineMs?: number;
  /** Receives the events of a streaming method, in order. */
  readonly onEvent?: (payload: unknown) => void;
  readonly signal?: AbortSignal;
}

export interface ConnectionOptions {
  readonly frameBytesMax?: number;
  readonly callsInFlightMax?: number;
  readonly outgoingBytesMax?: number;
  readonly halfFrameMs?: number;
  /** Shared by all connections of one peer; absent where the peer is trusted. */
  readonly held?: HeldCalls;
  /** Sees what a handler threw that was not a PlatformError, before the caller gets INTERNAL. */
  readonly onInternalError?: (error: unknown, service: string, method: string) => void;
}

interface OpenCall {
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: ((payload: unknown) => void) | undefined;
  readonly stop: () => void;
}

const NO_SERVICES: ReadonlyMap<string, Service> = new Map();

export class Connection {
  readonly #stream: Duplex;
  readonly #timers: Timers;
  readonly #services: ReadonlyMap<string, Service>;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #calls = new Map<number, OpenCall>();
  readonly #served = new Map<number, AbortController>();
  readonly #outbox: Buffer[] = [];
  #outboxScheduled = false;
  #nextId = 0;
  #closed = false;
  #paused = false;
  #isHeldBack = false;
  #halfFrame: Cancel | undefined;
  #drainWaiters: (() => void)[] = [];
  readonly closed: Promise<void>;

  /** Takes over `stream`, which must be connected. `services` are what the other side may call. */
  constructor(stream: Duplex, timers: Timers, services: readonly Service[] = [], options: ConnectionOptions = {}) {
    this.#stream = stream;
    this.#timers = timers;
    this.#services = services.length === 0 ? NO_SERVICES : new Map(services.map((service) => [service.name, service]));
    this.#options = options;
    this.#reader = new FrameReader(options.frameBytesMax);
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.#onClose();
        resolve();
      });
    });
    stream.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    stream.on('drain', () => {
      this.#onDrain();
    });
    // An error is always followed by close, which fails the open calls.
    stream.on('error', () => undefined);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Calls made and not yet answered. */
  get callsOpen(): number {
    return this.#calls.size;
  }

  /** Calls the other side. Throws what it threw, what `encodeMessage` throws, RPC_CONNECTION_LOST, DEADLINE_EXCEEDED, or the signal's reason. */
  call(service: string, method: string, payload: unknown, options: CallOptions = {}): Promise<unknown> {
    const { deadlineMs = 0, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      if (this.#closed) {
        reject(new PlatformError('RPC_CONNECTION_LOST'));
        return;
      }
      const id = this.#freeId();
      const frame = encodeMessage({ kind: 'call', id, service, method, payload, deadlineMs });
      const giveUp = (error: Error): void => {
        if (!this.#calls.delete(id)) return;
        stop();
        this.#send({ kind: 'cancel', id });
        reject(error);
      };
      const onAbort = (): void => {
        giveUp(signal?.reason as Error);
      };
      const cancelDeadline =
        deadlineMs > 0
          ? this.#timers.after(deadlineMs, () => {
              giveUp(new PlatformError('DEADLINE_EXCEEDED', `${service}.${method} took more than ${deadlineMs} ms`));
            })
          : undefined;
      signal?.addEventListener('abort', onAbort, { once: true });
      const stop = (): void => {
        cancelDeadline?.();
        signal?.removeEventListener('abort', onAbort);
      };
      this.#calls.set(id, { resolve, reject, onEvent: options.onEvent, stop });
      this.#write(frame);
    });
  }

  /** Closes at once; open calls on both sides fail. */
  close(): void {
    this.#stream.destroy();
  }

  /** Sends what is queued, then closes. */
  async end(): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#stream.end(() => {
      this.#stream.destroy();
    });
    await this.closed;
  }

  #freeId(): number {
    do this.#nextId = (this.#nextId + 1) >>> 0;
    while (this.#calls.has(this.#nextId));
    return this.#nextId;
  }

  #onData(chunk: Buffer): void {
    try {
      this.#reader.push(chunk, (value, bytes) => {
        this.#onMessage(messageFromWire(value), bytes);
      });
    } catch (error) {
      // The stream cannot be read any further: say why, once, and close.
      const { code, message, details } = toPlatformError(error);
      this.#send({ kind: 'failure', id: 0, code, message, details });
      void this.end();
      return;
    }
    if (this.#options.held?.isFull) this.#holdBack(this.#options.held);
    if (!this.#reader.isHalfway || this.#isHeldBack) {
      this.#halfFrame?.();
      this.#halfFrame = undefined;
    } else {
      this.#halfFrame ??= this.#timers.after(this.#options.halfFrameMs ?? LIMITS.wireHalfFrameMs, () => {
        this.close();
      });
    }
  }

  /** Reads no further call until others are answered. A frame that is half here is then not the peer's fault. */
  #holdBack(held: HeldCalls): void {
    if (this.#isHeldBack || this.#closed) return;
    this.#isHeldBack = true;
    this.#stream.pause();
    held.whenRoom(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#isHeldBack = false;
    if (!this.#paused) this.#stream.resume();
  };

  #onMessage(message: Message, bytes: number): void {
    switch (message.kind) {
      case 'call':
        void this.#serveHeld(message, bytes);
        return;
      case 'cancel':
        this.#served.get(message.id)?.abort(new PlatformError('CANCELLED'));
        return;
      case 'event':
        this.#calls.get(message.id)?.onEvent?.(message.payload);
        return;
      case 'result':
        this.#settle(message.id)?.resolve(message.payload);
        return;
      case 'failure':
        this.#settle(message.id)?.reject(errorFromBody(message));
        return;
    }
  }

  #settle(id: number): OpenCall | undefined {
    const call = this.#calls.get(id);
    if (!call) return undefined;
    this.#calls.delete(id);
    call.stop();
    return call;
  }

  async #serveHeld(call: Extract<Message, { kind: 'call' }>, bytes: number): Promise<void> {
    const { held } = this.#options;
    if (!held) return this.#serve(call);
    held.add(bytes);
    await this.#serve(call);
    held.remove(bytes);
  }

  async #serve(call: Extract<Message, { kind: 'call' }>): Promise<void> {
    const { id, service, method, payload, deadlineMs } = call;
    if (this.#served.has(id)) {
      this.#send({ kind: 'failure', id, code: 'RPC_FRAME_MALFORMED', message: 'This call id is in use', details: {} });
      return;
    }
    if (this.#served.size >= (this.#options.callsInFlightMax ?? LIMITS.wireCallsInFlightMax)) {
      this.#sendFailure(
        id,
        new PlatformError('RPC_OVERLOADED', `at most ${this.#options.callsInFlightMax ?? LIMITS.wireCallsInFlightMax}`),
      );
      return;
    }
    const abort = new AbortController();
    this.#served.set(id, abort);
    const cancelDeadline =
      deadlineMs > 0
        ? this.#timers.after(deadlineMs, () => {
            abort.abort(new PlatformError('DEADLINE_EXCEEDED'));
          })
        : undefined;
    try {
      const methods = this.#services.get(service)?.methods;
      const handler = methods && Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!handler) throw new PlatformError('RPC_UNKNOWN_METHOD', `${service}.${method}`.slice(0, 200));
      const emit = (event: unknown): Promise<void> => this.#emit(id, event);
      const result = await handler(payload, { signal: abort.signal, emit });
      this.#send({ kind: 'result', id, payload: result });
    } catch (error) {
      if (!(error instanceof PlatformError)) this.#options.onInternalError?.(error, service, method);
      this.#sendFailure(id, toPlatformError(error));
    } finally {
      cancelDeadline?.();
      this.#served.delete(id);
    }
  }

  #sendFailure(id: number, error: PlatformError): void {
    this.#send({ kind: 'failure', id, code: error.code, message: error.message, details: error.details });
  }

  async #emit(id: number, payload: unknown): Promise<void> {
    this.#send({ kind: 'event', id, payload });
    if (this.#paused) await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
  }

  #send(message: Message): void {
    if (this.#closed) return;
    let frame: Buffer;
    try {
      frame = encodeMessage(message);
    } catch (error) {
      // A result that is too large or cannot be encoded must still end its call.
      const { code, message: text, details } = toPlatformError(error);
      if (message.kind === 'failure') throw error;
      frame = encodeMessage({ kind: 'failure', id: message.id, code, message: text, details });
    }
    this.#write(frame);
  }

  /** Joins the frames of one turn into one write: with many calls in flight this halves the system calls. */
  #write(frame: Buffer): void {
    this.#outbox.push(frame);
    if (this.#outboxScheduled) return;
    this.#outboxScheduled = true;
    setImmediate(() => {
      this.#flush();
    });
  }

  #flush(): void {
    this.#outboxScheduled = false;
    if (this.#closed || this.#outbox.length === 0) return;
    const [only] = this.#outbox;
    const bytes = this.#outbox.length === 1 && only ? only : Buffer.concat(this.#outbox);
    this.#outbox.length = 0;
    this.#stream.write(bytes);
    // A peer that does not read its answers gets no further calls read.
    if (!this.#paused && this.#stream.writableLength > (this.#options.outgoingBytesMax ?? LIMITS.wireOutgoingBytesMax)) {
      this.#paused = true;
      this.#stream.pause();
    }
  }

  #onDrain(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#isHeldBack) this.#stream.resume();
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.held?.forget(this.#goOn);
    this.#halfFrame?.();
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
    for (const abort of this.#served.values()) abort.abort(new PlatformError('CANCELLED'));
    for (const id of [...this.#calls.keys()]) this.#settle(id)?.reject(new PlatformError('RPC_CONNECTION_LOST'));
  }
}
