// A request's body on its way to an instance: counted, limited, and cut off from the client's connection, so that
// whatever happens to the upstream leaves the connection usable for the answer.
import { Readable } from 'node:stream';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ClientRequest } from './client-exchange.ts';

export class RequestBody extends Readable {
  readonly #request: ClientRequest;
  readonly #onWanted: () => void;
  readonly #onEndless: () => void;
  #bytes = 0;
  #isFlowing = false;
  #isWanted = false;

  /**
   * Reads nothing from the client until it is read itself; `onWanted` is called then. `onEndless` is called for all that the client sends over
   * the limit after the body was given up.
   */
  constructor(request: ClientRequest, onWanted: () => void, onEndless: () => void) {
    super({ highWaterMark: 64 * 1024 });
    this.#request = request;
    this.#onWanted = onWanted;
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
    this.#onWanted();
    this.#flow();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // From here the rest is read and thrown away, still counted, so that a client that sends before it reads gets
    // the answer, and a client that sends without end does not.
    if (!this.#request.complete && !this.#request.destroyed) {
      if (!this.#isFlowing) this.#flow();
      this.#request.resume();
    }
    callback(error);
  }

  #flow(): void {
    this.#isFlowing = true;
    this.#request.on('data', this.#onData);
    this.#request.on('end', this.#onEnd);
    this.#request.on('close', this.#onClose);
    this.#request.on('error', this.#onClose);
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
