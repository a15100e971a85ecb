// A request's body on its way to an instance: counted, limited, and cut off from the client's connection, so that
// whatever happens to the upstream leaves the connection usable for the answer.
import { type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #onEndless: () => void;
  #bytes = 0;
  #isFlowing = false;
  #isWanted = false;

  /**
   * Reads nothing from the client until it is read itself. `onEndless` is called for all that the client sends over
   * the limit after the body was given up.
   */
  constructor(request: IncomingMessage, onEndless: () => void) {
    super({ highWaterMark: 64 * 1024 });
    this.#request = request;
    this.#onEndless = onEndless;
  }

  /** Bytes that came from the client so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the next byte is up to the client, rather than to the instance. */
  get isWaitingForClient(): boolean {
    return this.#isWanted && !this.#request.complete && !this.destroyed;
  }

  /** Whether any of the body was taken, after which it cannot be sent again. */
  get isStarted(): boolean {
    return this.#isFlowing;
  }

  override _read(): void {
    this.#isWanted = true;
    if (this.#isFlowing) {
      this.#request.resume();
      return;
    }
    this.#isFlowing = true;
    this.#request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onClose);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // From here the rest is read and thrown away, still counted, so that a client that sends before it reads gets
    // the answer, and a client that sends without end does not.
    if (!this.#request.complete && !this.#request.destroyed) {
      if (!this.#isFlowing) this._read();
      this.#request.resume();
    }
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > LIMITS.requestBodyBytesMax) {
      if (this.destroyed) this.#onEndless();
      else this.destroy(new PlatformError('ROUTE_BODY_TOO_LARGE'));
      return;
    }
    if (this.destroyed) return;
    if (!this.push(chunk)) {
      this.#isWanted = false;
      this.#request.pause();
    }
  };

  readonly #onEnd = (): void => {
    if (!this.destroyed) this.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#request.complete && !this.destroyed) this.destroy(new PlatformError('CANCELLED'));
  };
}
