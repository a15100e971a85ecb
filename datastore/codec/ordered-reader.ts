// Reads back what OrderedWriter wrote.
import { PlatformError } from '../../sdk/contract/errors.ts';

const SIGN_BIT = 1n << 63n;

/** Throws DS_CORRUPT where the bytes are not what was asked for. */
export class OrderedReader {
  readonly #bytes: Buffer;
  /** FF while reading complemented bytes, else 00. */
  readonly #mask: number;
  offset: number;

  constructor(bytes: Buffer, offset = 0, options: { readonly complemented?: boolean } = {}) {
    this.#bytes = bytes;
    this.offset = offset;
    this.#mask = options.complemented ? 0xff : 0;
  }

  get atEnd(): boolean {
    return this.offset >= this.#bytes.length;
  }

  peek(): number {
    if (this.offset >= this.#bytes.length) throw endsEarly();
    return (this.#bytes[this.offset] ?? 0) ^ this.#mask;
  }

  byte(): number {
    const value = this.peek();
    this.offset++;
    return value;
  }

  uint32(): number {
    return this.#fixed(4).readUInt32BE(0);
  }

  uint64(): bigint {
    return this.#fixed(8).readBigUInt64BE(0);
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.#fixed(8).readBigUInt64BE(0) ^ SIGN_BIT);
  }

  double(): number {
    const bytes = Buffer.from(this.#fixed(8));
    if (bytes.every((byte) => byte === 0xff)) return NaN;
    const first = bytes[0] ?? 0;
    if (first & 0x80) bytes[0] = first ^ 0x80;
    else for (let index = 0; index < 8; index++) bytes[index] = ~(bytes[index] ?? 0);
    return bytes.readDoubleBE(0);
  }

  text(): string {
    return this.blob().toString('utf8');
  }

  /** A copy when it holds a 00 or is complemented, else a view. */
  blob(): Buffer {
    const start = this.offset;
    let zeros = 0;
    for (;;) {
      if (this.byte() !== 0) continue;
      if (this.byte() === 0x01) break;
      zeros++;
    }
    const written = this.#bytes.subarray(start, this.offset - 2);
    if (zeros === 0 && this.#mask === 0) return written;
    const bytes = Buffer.allocUnsafe(written.length - zeros);
    for (let from = 0, to = 0; from < written.length; from++, to++) {
      const byte = (written[from] ?? 0) ^ this.#mask;
      bytes[to] = byte;
      if (byte === 0) from++;
    }
    return bytes;
  }

  skip(count: number): void {
    if (this.offset + count > this.#bytes.length) throw endsEarly();
    this.offset += count;
  }

  skipStr(): void {
    for (;;) {
      const zero = this.#bytes.indexOf(this.#mask, this.offset);
      if (zero === -1) throw endsEarly();
      this.offset = zero + 1;
      if (this.byte() === 0x01) return;
    }
  }

  #fixed(count: number): Buffer {
    const start = this.offset;
    this.skip(count);
    const bytes = this.#bytes.subarray(start, this.offset);
    return this.#mask === 0 ? bytes : Buffer.from(bytes.map((byte) => ~byte));
  }
}

function endsEarly(): PlatformError {
  return new PlatformError('DS_CORRUPT', 'an encoded row ends early');
}
