// One HTTP/1 connection. Node's parser owns its bytes; what has begun and takes too long is seen from how many have come (hostile number 47).
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Conversation, type V1Connection } from './connection.ts';

export class HttpSession implements Conversation {
  readonly #connection: V1Connection;
  /** Received by the time that the last call was answered; more is the beginning of a head. */
  #bytesSeen = 0;
  #headSinceMs: number | undefined;

  constructor(connection: V1Connection, nowMs: number) {
    this.#connection = connection;
    this.#headSinceMs = nowMs;
  }

  answered(): void {
    this.#bytesSeen = this.#connection.socket.bytesRead;
    this.#headSinceMs = undefined;
  }

  end(): void {
    // A call under way says `connection: close` with its answer.
    if (this.#connection.idleSinceMs !== undefined) this.#connection.socket.destroy();
  }

  sweep(nowMs: number): void {
    const { socket, idleSinceMs } = this.#connection;
    if (idleSinceMs === undefined) return;
    if (socket.bytesRead > this.#bytesSeen) this.#headSinceMs ??= nowMs;
    if (this.#headSinceMs !== undefined && nowMs - this.#headSinceMs > LIMITS.requestHeaderMs) socket.destroy();
  }
}
