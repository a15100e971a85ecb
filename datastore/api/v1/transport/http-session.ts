// One HTTP/1 connection. Node's parser owns its bytes; that something has begun and takes too long is seen from how many have come.
import { type IncomingMessage } from 'node:http';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type Conversation, type V1Connection } from './connection.ts';

export class HttpSession implements Conversation {
  readonly connection: V1Connection;
  /** Received by the time that the last request was answered; more is the beginning of a head. */
  #bytesSeen = 0;
  #headSinceMs: number | undefined;
  /** Since when an answer has been waiting for its client to read it, and how long it may. */
  #unreadSinceMs: number | undefined;
  readonly #readMs: number;
  readonly #callsWaiting = new Set<AbortController>();
  #newest: IncomingMessage | undefined;
  #onIdle: (() => void) | undefined;

  /** `nowMs` is monotonic, here and below. */
  constructor(connection: V1Connection, nowMs: number, options: { readonly readMs: number }) {
    this.connection = connection;
    this.#headSinceMs = nowMs;
    this.#readMs = options.readMs;
    connection.socket.once('close', () => {
      for (const gone of this.#callsWaiting) gone.abort(new PlatformError('CANCELLED'));
    });
  }

  /** Whether the newest request came to its end. */
  get isWhole(): boolean {
    return this.#newest?.complete === true;
  }

  /** A head has come whole. */
  opened(request: IncomingMessage): void {
    this.#newest = request;
    this.connection.opened();
    this.#headSinceMs = undefined;
  }

  answered(nowMs: number): void {
    this.#bytesSeen = this.connection.socket.bytesRead;
    this.connection.answered(nowMs);
    if (this.connection.calls === 0) this.#onIdle?.();
  }

  /** Aborted when the client goes away. Node tells only the answer whose turn it is; those of pipelined requests behind it would not know. */
  newCall(): AbortController {
    const gone = new AbortController();
    this.#callsWaiting.add(gone);
    return gone;
  }

  /** Answered, or never to be. */
  endCall(gone: AbortController): void {
    this.#callsWaiting.delete(gone);
  }

  /** Runs `action` once all requests that came are answered. */
  whenIdle(action: () => void): void {
    if (this.connection.calls === 0) action();
    else this.#onIdle = action;
  }

  end(): void {
    // The answer of a request under way says that it is the last.
    if (this.connection.calls === 0) this.connection.socket.destroy();
  }

  sweep(nowMs: number): void {
    const { socket, calls } = this.connection;
    if (calls > 0) {
      this.#endUnread(nowMs);
      return;
    }
    if (socket.bytesRead > this.#bytesSeen) this.#headSinceMs ??= nowMs;
    if (this.#headSinceMs !== undefined && nowMs - this.#headSinceMs > LIMITS.requestHeaderMs) socket.destroy();
  }

  #endUnread(nowMs: number): void {
    const { socket } = this.connection;
    if (socket.writableLength === 0) this.#unreadSinceMs = undefined;
    else if (nowMs - (this.#unreadSinceMs ??= nowMs) > this.#readMs) socket.destroy();
  }
}
