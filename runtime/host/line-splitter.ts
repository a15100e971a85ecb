import { type Readable } from 'node:stream';
import { LIMITS } from '../../sdk/contract/limits.ts';

export interface LineReceiver {
  /** Takes a line, its end cut off. */
  line(text: string): void;
  /** Asked at the end of each line: whether to pass it over without a look at what it says. */
  isUnwanted?(): boolean;
  /** Told of each line that was passed over. */
  unwanted?(): void;
}

const LINE_END = 10;

/**
 * Cuts what is written to it into lines. Of a line longer than instanceLogLineBytesMax the rest is dropped, so nothing that is
 * written can make this grow.
 */
export class LineSplitter {
  readonly #receiver: LineReceiver;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(receiver: LineReceiver) {
    this.#receiver = receiver;
  }

  /** The receiver has all lines that are complete when it returns, with how many bytes were cut off lines that were wanted. */
  write(chunk: Buffer): number {
    let start = 0;
    let bytesCut = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      // First the question: to count lines costs less than a tenth of cutting them out.
      if (this.#receiver.isUnwanted?.() === true) {
        this.#forget();
        this.#receiver.unwanted?.();
      } else {
        bytesCut += this.#add(chunk.subarray(start, end));
        this.#flush();
      }
      start = end + 1;
    }
    return bytesCut + this.#add(chunk.subarray(start));
  }

  /** A last line needs no end. */
  end(): void {
    if (this.#length > 0) this.#flush();
  }

  #add(piece: Buffer): number {
    const kept = piece.subarray(0, LIMITS.instanceLogLineBytesMax - this.#length);
    if (kept.length > 0) {
      this.#pieces.push(kept);
      this.#length += kept.length;
    }
    return piece.length - kept.length;
  }

  #flush(): void {
    const line = Buffer.concat(this.#pieces).toString('utf8');
    this.#forget();
    this.#receiver.line(line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  #forget(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}

/** Calls `onLine` with each line of `stream`, as LineSplitter cuts them. Resolves when the stream is over. */
export function readLines(stream: Readable, onLine: (text: string) => void): Promise<void> {
  const lines = new LineSplitter({ line: onLine });
  stream.on('data', (chunk: Buffer) => {
    lines.write(chunk);
  });
  return new Promise((resolve) => {
    stream.once('close', () => {
      lines.end();
      resolve();
    });
    stream.on('error', () => undefined);
  });
}
