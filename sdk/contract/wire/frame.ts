// Frames: what travels between processes, and between an instance and the platform.
//
//   stream  := frame*
//   frame   := length body            length: unsigned 32-bit big-endian, bytes of body, 1 … wireFrameBytesMax
//   body    := one MessagePack value  no extension types, nesting and item counts bounded
//
//   worked example: the value [2, 7] is  00 00 00 03  92 02 07
//
// The other side may be hostile: a body is measured before it is buffered, scanned before it is decoded, and decoded
// without records or extensions.
import { Packr, Unpackr } from 'msgpackr';
import { PlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

const HEADER_BYTES = 4;

// moreTypes off and no shared structures: maps become plain objects, 64-bit integers become bigint.
const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'bigint', useBigIntExtension: false });
const unpackr = new Unpackr({ useRecords: false, moreTypes: false, int64AsType: 'bigint', mapsAsObjects: true });

/**
 * One frame, header included. Throws RPC_FRAME_TOO_LARGE or RPC_FRAME_MALFORMED for what a reader would refuse: it closes
 * the connection, and every other call on it is lost.
 */
export function encodeFrame(value: unknown): Buffer {
  const body = packr.pack(value);
  checkBody(body);
  if (body.length > LIMITS.wireFrameBytesMax) {
    throw new PlatformError('RPC_FRAME_TOO_LARGE', `${body.length} bytes, at most ${LIMITS.wireFrameBytesMax}`);
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames and decodes them. Not usable after it threw: close the connection. */
export class FrameReader {
  readonly #frameBytesMax: number;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted = HEADER_BYTES;
  #inBody = false;

  constructor(frameBytesMax: number = LIMITS.wireFrameBytesMax) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Whether part of a frame has arrived and the rest has not. */
  get isHalfway(): boolean {
    return this.#inBody || this.#buffered > 0;
  }

  /** Calls `onValue` for every frame that `chunk` completes, with the length of its body. Throws RPC_FRAME_TOO_LARGE or RPC_FRAME_MALFORMED. */
  push(chunk: Buffer, onValue: (value: unknown, bytes: number) => void): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#wanted) {
      const bytes = this.#take(this.#wanted);
      if (this.#inBody) {
        this.#inBody = false;
        this.#wanted = HEADER_BYTES;
        onValue(decodeBody(bytes), bytes.length);
        continue;
      }
      const length = bytes.readUInt32BE(0);
      if (length === 0) throw new PlatformError('RPC_FRAME_MALFORMED', 'an empty frame');
      if (length > this.#frameBytesMax) {
        throw new PlatformError('RPC_FRAME_TOO_LARGE', `${length} bytes announced, at most ${this.#frameBytesMax}`);
      }
      this.#inBody = true;
      this.#wanted = length;
    }
  }

  #take(count: number): Buffer {
    const first = this.#chunks[0];
    this.#buffered -= count;
    if (first && first.length >= count) {
      if (first.length === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = joined.length > count ? [joined.subarray(count)] : [];
    return joined.subarray(0, count);
  }
}

/** Scans, then decodes. Throws RPC_FRAME_MALFORMED. */
export function decodeBody(body: Buffer): unknown {
  checkBody(body);
  try {
    return unpackr.unpack(body);
  } catch (error) {
    // What the scan lets through and no object can hold, such as a list for a map's key.
    throw new PlatformError('RPC_FRAME_MALFORMED', 'the value cannot be decoded', { cause: error });
  }
}

function checkBody(body: Buffer): void {
  if (scan(body) !== body.length) throw new PlatformError('RPC_FRAME_MALFORMED', 'bytes after the value');
}

/** Walks one value without building it; returns the offset behind it. */
function scan(body: Buffer): number {
  let offset = 0;
  let items = 0;
  // Remaining values at each open level; the outermost level holds the one value itself.
  const remaining: number[] = [1];
  const need = (count: number): void => {
    if (offset + count > body.length) throw new PlatformError('RPC_FRAME_MALFORMED', 'the value ends early');
  };
  const readLength = (bytes: 1 | 2 | 4): number => {
    need(bytes);
    const length = body.readUIntBE(offset, bytes);
    offset += bytes;
    return length;
  };
  const skip = (count: number): void => {
    need(count);
    offset += count;
  };
  const open = (count: number): void => {
    items += count;
    if (items > LIMITS.wireItemsMax) throw new PlatformError('RPC_FRAME_MALFORMED', `more than ${LIMITS.wireItemsMax} items`);
    if (count === 0) return;
    remaining.push(count);
    if (remaining.length > LIMITS.wireDepthMax) throw new PlatformError('RPC_FRAME_MALFORMED', `nested deeper than ${LIMITS.wireDepthMax}`);
  };
  while (remaining.length > 0) {
    const level = remaining.length - 1;
    const left = remaining[level] ?? 0;
    if (left === 0) {
      remaining.pop();
      continue;
    }
    remaining[level] = left - 1;
    need(1);
    const type = body[offset++] ?? 0;
    if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) continue;
    else if (type <= 0x8f) open((type & 0x0f) * 2);
    else if (type <= 0x9f) open(type & 0x0f);
    else if (type <= 0xbf) skip(type & 0x1f);
    else if (type === 0xc4 || type === 0xd9) skip(readLength(1));
    else if (type === 0xc5 || type === 0xda) skip(readLength(2));
    else if (type === 0xc6 || type === 0xdb) skip(readLength(4));
    else if (type === 0xcc || type === 0xd0) skip(1);
    else if (type === 0xcd || type === 0xd1) skip(2);
    else if (type === 0xca || type === 0xce || type === 0xd2) skip(4);
    else if (type === 0xcb || type === 0xcf || type === 0xd3) skip(8);
    else if (type === 0xdc) open(readLength(2));
    else if (type === 0xdd) open(readLength(4));
    else if (type === 0xde) open(readLength(2) * 2);
    else if (type === 0xdf) open(readLength(4) * 2);
    else throw new PlatformError('RPC_FRAME_MALFORMED', `MessagePack type 0x${type.toString(16)} is not accepted`);
  }
  return offset;
}
