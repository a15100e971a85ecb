// Lines out of chunks of bytes, with never more than one line of `lineBytesMax` in memory.

export class LineSplitter {
  readonly #lineBytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that `chunk` completes, without their line ends. One that is too long comes as its first `lineBytesMax` + 1 bytes. */
  *push(chunk: Uint8Array): Generator<Buffer> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      this.#keep(bytes.subarray(start, end));
      yield this.#take();
      start = end + 1;
    }
    // A copy: whoever sends chunks may use their memory again.
    if (start < bytes.length) this.#keep(Buffer.from(bytes.subarray(start)));
  }

  /** What stands behind the last line end, if anything does. */
  end(): Buffer | undefined {
    return this.#bytes === 0 ? undefined : this.#take();
  }

  #keep(piece: Buffer): void {
    const kept = piece.subarray(0, this.#lineBytesMax + 1 - this.#bytes);
    if (kept.length === 0) return;
    this.#bytes += kept.length;
    this.#pieces.push(kept);
  }

  #take(): Buffer {
    const [only] = this.#pieces;
    const line = this.#pieces.length === 1 && only ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return line;
  }
}

/** Each line of a stream of chunks; the last one need not end. As `LineSplitter.push` for lines that are too long. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<Buffer> {
  const splitter = new LineSplitter(lineBytesMax);
  for await (const chunk of chunks) yield* splitter.push(chunk);
  const rest = splitter.end();
  if (rest) yield rest;
}
