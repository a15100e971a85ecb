// One HTTP/1 connection. Node's parser owns its bytes; that something has begun and takes too long is seen from how many have come.
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Conversation, type V1Connection } from './connection.ts';

export class HttpSession implements Conversation {
  readonly connection: V1Connection;
  /** Received by the time that the last request was answered; more is the beginning of a head. */
  #bytesSeen = 0;
  #headSinceMs: number | undefined;

  /** `nowMs` is monotonic, here and below. */
  constructor(connection: V1Connection, nowMs: number) {
    this.connection = connection;
    this.#headSinceMs = nowMs;
  }

  /** A head has come whole. */
  opened(): void {
    this.connection.opened();
    this.#headSinceMs = undefined;
  }

  answered(nowMs: number): void {
    this.#bytesSeen = this.connection.socket.bytesRead;
    this.connection.answered(nowMs);
  }

  end(): void {
    // The answer of a request under way says that it is the last.
    if (this.connection.calls === 0) this.connection.socket.destroy();
  }

  sweep(nowMs: number): void {
    const { socket, calls } = this.connection;
    if (calls > 0) return;
    if (socket.bytesRead > this.#bytesSeen) this.#headSinceMs ??= nowMs;
    if (this.#headSinceMs !== undefined && nowMs - this.#headSinceMs > LIMITS.requestHeaderMs) socket.destroy();
  }
}
