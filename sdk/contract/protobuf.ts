// The part of protobuf's wire format that the datastore's messages use. Reading never trusts a length.
import { isUtf8 } from 'node:buffer';
import { PlatformError } from './errors.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

const CAPACITY_START = 4_096;
/** A buffer that grew beyond this is not kept. */
const CAPACITY_KEPT_MAX = 256 * 1_024;
/** Less is copied twice sooner than it is kept apart. */
const PIECE_BYTES_MIN = 256;

/** Bytes that are copied by `finish` alone: they belong before the byte `at` of the buffer. */
interface Piece {
  readonly bytes: Uint8Array;
  at: number;
}

/** Appends fields to one growing buffer, which is used again after `clear`. */
export class ProtoWriter {
  #buffer = Buffer.allocUnsafe(CAPACITY_START);
  #length = 0;
  #pieces: Piece[] = [];
  #piecesBytes = 0;

  /** Forgets what was written, so that a writer left half-way by an error can be used again. */
  clear(): this {
    this.#length = 0;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#piecesBytes = 0;
    if (this.#buffer.length > CAPACITY_KEPT_MAX) this.#buffer = Buffer.allocUnsafe(CAPACITY_START);
    return this;
  }

  /** The bytes written so far, as a copy of exact size. */
  finish(): Buffer {
    if (this.#pieces.length === 0) return Buffer.from(this.#buffer.subarray(0, this.#length));
    const whole = Buffer.allocUnsafe(this.#length + this.#piecesBytes);
    let from = 0;
    let offset = 0;
    for (const { bytes, at } of this.#pieces) {
      offset += this.#buffer.copy(whole, offset, from, at);
      whole.set(bytes, offset);
      offset += bytes.length;
      from = at;
    }
    this.#buffer.copy(whole, offset, from, this.#length);
    return whole;
  }

  varintField(field: number, value: bigint): void {
    this.#tag(field, VARINT);
    this.#varint64(value);
  }

  smallField(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#varint32(value);
  }

  doubleField(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, this.#length);
    this.#length += 8;
  }

  bytesField(field: number, value: Uint8Array): void {
    this.#tag(field, BYTES);
    this.#varint32(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** As `bytesField`, for bytes that stay as they are until `finish`: many are copied once, by that alone. */
  pieceField(field: number, value: Uint8Array): void {
    if (value.length < PIECE_BYTES_MIN) {
      this.bytesField(field, value);
      return;
    }
    this.#tag(field, BYTES);
    this.#varint32(value.length);
    this.#pieces.push({ bytes: value, at: this.#length });
    this.#piecesBytes += value.length;
  }

  /** Throws DS_INVALID for a string with half a surrogate pair, which UTF-8 cannot carry. */
  stringField(field: number, value: string): void {
    if (!value.isWellFormed())
      throw new PlatformError('DS_INVALID', `a string holds half a surrogate pair: ${JSON.stringify(value.slice(0, 40))}`);
    this.#tag(field, BYTES);
    // A UTF-16 unit needs at most 3 bytes of UTF-8.
    this.#reserve(5 + value.length * 3);
    const start = this.#length;
    this.#length += 1;
    const written = this.#buffer.write(value, this.#length, 'utf8');
    this.#length += written;
    this.#closeLength(start, written);
  }

  /** A nested message: what `write` appends, behind its length. */
  messageField(field: number, write: () => void): void {
    this.#tag(field, BYTES);
    this.#reserve(1);
    const start = this.#length;
    const piecesBefore = this.#piecesBytes;
    this.#length += 1;
    write();
    this.#closeLength(start, this.#length - start - 1 + this.#piecesBytes - piecesBefore);
  }

  /** Puts the length into the byte reserved at `start`, moving the content when it needs more than one byte. */
  #closeLength(start: number, contentBytes: number): void {
    if (contentBytes < 0x80) {
      this.#buffer[start] = contentBytes;
      return;
    }
    const lengthBytes = varint32Bytes(contentBytes);
    this.#reserve(lengthBytes);
    this.#buffer.copyWithin(start + lengthBytes, start + 1, this.#length);
    for (let last = this.#pieces.length - 1; last >= 0; last--) {
      const piece = this.#pieces[last];
      if (!piece || piece.at <= start) break;
      piece.at += lengthBytes - 1;
    }
    const end = this.#length + lengthBytes - 1;
    this.#length = start;
    this.#varint32(contentBytes);
    this.#length = end;
  }

  #tag(field: number, type: number): void {
    this.#varint32((field << 3) | type);
  }

  #varint32(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#length++] = rest;
  }

  #varint64(value: bigint): void {
    if (value >= 0n && value < 0x80000000n) {
      this.#varint32(Number(value));
      return;
    }
    this.#reserve(10);
    // In halves, since arithmetic with numbers is many times faster than with bigints.
    const unsigned = BigInt.asUintN(64, value);
    let low = Number(unsigned & 0xffffffffn);
    let high = Number(unsigned >> 32n);
    while (high > 0) {
      this.#buffer[this.#length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#varint32(low);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

function varint32Bytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

/** Reads the fields of one message in [start, end). Throws DS_INVALID on anything malformed. */
export class ProtoReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #offset: number;
  #low = 0;
  #middle = 0;
  #high = 0;
  /** Of the field that `next` found. */
  field = 0;
  type = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = start;
    this.#end = end;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (this.#offset === this.#end) return false;
    const tag = this.#varint32();
    this.field = tag >>> 3;
    this.type = tag & 7;
    if (this.field === 0) throw malformed('field number 0');
    return true;
  }

  int64(): bigint {
    const bytes = this.#varint64();
    if (bytes <= 4) return BigInt(this.#low);
    const value = BigInt(this.#low) | (BigInt(this.#middle) << 28n);
    return bytes <= 8 ? value : BigInt.asIntN(64, value | (BigInt(this.#high) << 56n));
  }

  /** An int32, bool or enum. */
  small(): number {
    this.#varint64();
    return this.#low | (this.#middle << 28);
  }

  double(): number {
    this.#want(FIXED64);
    const value = this.#buffer.readDoubleLE(this.#advance(8));
    return value;
  }

  /** A view of the bytes, not a copy. */
  bytes(): Buffer {
    this.#want(BYTES);
    const length = this.#varint32();
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  string(): string {
    this.#want(BYTES);
    const length = this.#varint32();
    const start = this.#advance(length);
    const text = this.#buffer.toString('utf8', start, start + length);
    // Bytes that are not UTF-8 come out as U+FFFD; only then is it worth asking whether that was written there.
    if (text.includes('\ufffd') && !isUtf8(this.#buffer.subarray(start, start + length))) throw malformed('a string is not UTF-8');
    return text;
  }

  /** A reader of a nested message. */
  message(): ProtoReader {
    this.#want(BYTES);
    const length = this.#varint32();
    const start = this.#advance(length);
    return new ProtoReader(this.#buffer, start, start + length);
  }

  /** Passes over a field that the caller does not know. */
  skip(): void {
    switch (this.type) {
      case VARINT:
        this.int64();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case BYTES:
        this.#advance(this.#varint32());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw malformed(`wire type ${this.type}`);
    }
  }

  #want(type: number): void {
    if (this.type !== type) throw malformed(`field ${this.field} has wire type ${this.type}, want ${type}`);
  }

  /** Into `low` and `middle`, 28 bits each, and `high`: numbers are many times faster than bigints. Answers how many bytes it has. */
  #varint64(): number {
    this.#want(VARINT);
    this.#low = 0;
    this.#middle = 0;
    this.#high = 0;
    for (let at = 0; at < 10; at++) {
      const byte = this.#byte();
      if (at < 4) this.#low |= (byte & 0x7f) << (at * 7);
      else if (at < 8) this.#middle |= (byte & 0x7f) << ((at - 4) * 7);
      else this.#high |= (byte & 0x7f) << ((at - 8) * 7);
      if (byte < 0x80) return at + 1;
    }
    throw malformed('a number of more than 10 bytes');
  }

  #varint32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed('a length of more than 5 bytes');
  }

  #byte(): number {
    return this.#buffer[this.#advance(1)] ?? 0;
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (start + count > this.#end) throw malformed('it ends early');
    this.#offset = start + count;
    return start;
  }
}

function malformed(reason: string): PlatformError {
  return new PlatformError('DS_INVALID', `malformed message: ${reason}`);
}
