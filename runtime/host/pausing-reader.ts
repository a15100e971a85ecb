import { type Readable } from 'node:stream';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';

export interface PausingReaderOptions {
  readonly pauseMs: number;
  /** Takes all bytes that are there; true: let the writer wait for `pauseMs` before the next. */
  readonly onPiece: (piece: Buffer) => boolean;
  /** Called once, when the stream is over. */
  readonly onEnd: () => void;
}

/**
 * Reads a stream whole, with pauses when its reader asks for one. What comes during a pause stays where it is: first in the
 * stream's own buffer, up to its high-water mark, then in the kernel's, then with the writer.
 */
export class PausingReader {
  readonly #stream: Readable;
  readonly #timers: Timers;
  readonly #options: PausingReaderOptions;
  readonly #ended: Promise<void>;
  #cancelPause: Cancel | undefined;
  #isDraining = false;

  constructor(stream: Readable, timers: Timers, options: PausingReaderOptions) {
    this.#stream = stream;
    this.#timers = timers;
    this.#options = options;
    // Not 'data': that would give what has gathered during a pause in the pieces that it was written in.
    stream.on('readable', () => {
      this.#read();
    });
    stream.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      stream.once('close', () => {
        this.#cancelPause?.();
        options.onEnd();
        resolve();
      });
    });
  }

  /** Reads on without a pause, and resolves when the stream is over. */
  drain(): Promise<void> {
    this.#isDraining = true;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#read();
    return this.#ended;
  }

  #read(): void {
    while (this.#cancelPause === undefined) {
      const piece = this.#stream.read() as Buffer | null;
      if (piece === null) return;
      if (this.#options.onPiece(piece) && !this.#isDraining) this.#pause();
    }
  }

  #pause(): void {
    this.#cancelPause = this.#timers.after(this.#options.pauseMs, () => {
      this.#cancelPause = undefined;
      this.#read();
    });
  }
}
