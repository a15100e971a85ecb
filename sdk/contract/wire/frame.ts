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

/** No frame has this type of value. */
const REFUSED = 9;
/**
 * What follows the type bytes C0 to DF: a positive number is the bytes of a length, of data up to DB and of items from DC on;
 * zero or a negative one is that many bytes of value.
 */
const LENGTH_WIDTHS: readonly number[] = [
  ...[0, REFUSED, 0, 0, 1, 2, 4, REFUSED, REFUSED, REFUSED, -4, -8, -1, -2, -4, -8],
  ...[-1, -2, -4, -8, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, 1, 2, 4, 2, 4, 2, 4],
];

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

/** Values left at each open level; used anew by each scan, which nothing interrupts. */
const remaining = new Float64Array(LIMITS.wireDepthMax + 1);

/** Walks one value without building it; returns the offset behind it. Each frame passes here twice, so it allocates nothing. */
function scan(body: Buffer): number {
  const end = body.length;
  let offset = 0;
  let items = 0;
  // The outermost level holds the one value itself.
  let level = 0;
  remaining[0] = 1;
  for (;;) {
    const left = remaining[level] ?? 0;
    if (left === 0) {
      if (level === 0) return offset;
      level--;
      continue;
    }
    remaining[level] = left - 1;
    if (offset >= end) throw endsEarly();
    const type = body[offset++] ?? 0;
    if (type <= 0x7f || type >= 0xe0) continue;
    let opened = 0;
    if (type <= 0x8f) opened = (type & 0x0f) * 2;
    else if (type <= 0x9f) opened = type & 0x0f;
    else if (type <= 0xbf) offset += type & 0x1f;
    else {
      const width = LENGTH_WIDTHS[type - 0xc0] ?? REFUSED;
      if (width === REFUSED) throw new PlatformError('RPC_FRAME_MALFORMED', `MessagePack type 0x${type.toString(16)} is not accepted`);
      if (width <= 0) offset -= width;
      else {
        if (offset + width > end) throw endsEarly();
        const length = body.readUIntBE(offset, width);
        offset += width;
        if (type < 0xdc) offset += length;
        else opened = type < 0xde ? length : length * 2;
      }
    }
    if (offset > end) throw endsEarly();
    if (opened === 0) continue;
    items += opened;
    if (items > LIMITS.wireItemsMax) throw new PlatformError('RPC_FRAME_MALFORMED', `more than ${LIMITS.wireItemsMax} items`);
    level++;
    if (level >= LIMITS.wireDepthMax) throw new PlatformError('RPC_FRAME_MALFORMED', `nested deeper than ${LIMITS.wireDepthMax}`);
    remaining[level] = opened;
  }
}

function endsEarly(): PlatformError {
  return new PlatformError('RPC_FRAME_MALFORMED', 'the value ends early');
}
