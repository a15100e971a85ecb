// The codec: keys and values as bytes whose order is the order of what they mean, and the rows of every family.
// Must not read or write a store, nor know indexes or queries.
// Read next: ../FORMAT.md (the grammar, with worked bytes), then path-code.ts, value-code.ts, row-key.ts.
import { PlatformError } from '../../sdk/contract/errors.ts';

const CAPACITY_START = 1_024;
const SIGN_BIT = 1n << 63n;
const DOUBLE_SIGN_BIT = 0x80;

/** Ends a str. 00 inside is written 00 FF, so that an end sorts below any continuation and no str is a prefix of another. */
const STR_END = 0x01;
const ZERO_CONTINUES = 0xff;

/** Appends order-preserving encodings to one growing buffer that is used again after `take`. */
export class OrderedWriter {
  #buffer = Buffer.allocUnsafe(CAPACITY_START);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written since the last take, as bytes of their own. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#length);
    this.#buffer.copy(bytes, 0, 0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** Forgets what was written, so that a writer left half-way by an error can be used again. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  uint32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
    return this;
  }

  uint64(value: bigint): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigUInt64BE(value, this.#length);
    return this;
  }

  /** Big-endian with the sign bit flipped. */
  int64(value: bigint): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value) ^ SIGN_BIT, this.#length);
    return this;
  }

  /** IEEE bits, all flipped when negative, else only the sign: −∞ … −0 = 0 … ∞ < NaN. */
  double(value: number): this {
    this.#reserve(8);
    const start = this.#length;
    this.#length += 8;
    if (Number.isNaN(value)) {
      this.#buffer.fill(0xff, start, this.#length);
      return this;
    }
    this.#buffer.writeDoubleBE(value === 0 ? 0 : value, start);
    if (value < 0) this.complementFrom(start);
    else this.#buffer[start] = (this.#buffer[start] ?? 0) ^ DOUBLE_SIGN_BIT;
    return this;
  }

  /** A str of a string's UTF-8. Throws DS_INVALID for half a surrogate pair, which UTF-8 cannot carry. */
  text(value: string): this {
    if (!value.isWellFormed()) throw new PlatformError('DS_INVALID', 'a string holds half a surrogate pair');
    if (value.includes('\0')) return this.blob(Buffer.from(value));
    // A UTF-16 unit needs at most 3 bytes of UTF-8.
    this.#reserve(value.length * 3 + 2);
    this.#length += this.#buffer.write(value, this.#length, 'utf8');
    return this.#endStr();
  }

  /** A str of bytes. */
  blob(bytes: Uint8Array): this {
    this.#reserve(bytes.length * 2 + 2);
    for (const byte of bytes) {
      this.#buffer[this.#length++] = byte;
      if (byte === 0) this.#buffer[this.#length++] = ZERO_CONTINUES;
    }
    return this.#endStr();
  }

  /** Turns the order of what was written from `start` on around. Sound because every encoding is prefix-free. */
  complementFrom(start: number): void {
    for (let index = start; index < this.#length; index++) this.#buffer[index] = ~(this.#buffer[index] ?? 0);
  }

  #endStr(): this {
    this.#buffer[this.#length++] = 0;
    this.#buffer[this.#length++] = STR_END;
    return this;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
