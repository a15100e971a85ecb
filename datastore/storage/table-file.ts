// A LevelDB table file, verified block by block. LevelDB writes a checksum behind each block and does not look at it when it
// reads (classic-level has no option for it), so a flipped bit is an error only where the block cannot be unfolded; elsewhere rows
// change or vanish. This finds all of it.
//
//   file   := (block trailer)* footer
//   trailer := type:u8 (00 as it is | 01 snappy) crc:u32le      masked CRC-32C of the block and its type
//   footer := metaindex:handle index:handle padding to 40 bytes, magic
//   handle := offset:varint size:varint                          of a block without its trailer
//   index block := entry* restart:u32le* restarts:u32le          entry := shared:varint unshared:varint length:varint key handle
//
// The index names every block of rows; the metaindex, in the same form, those that filter keys.
import { readFile } from 'node:fs/promises';

const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const TRAILER_BYTES = 5;
const SNAPPY = 1;
const CRC_MASK = 0xa282ead8;
const UNFOLDED_BYTES_MAX = 256 * 1024 * 1024;
/** Between turns in which others get theirs. */
const TURN_BYTES = 256 * 1024;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** What is wrong with the file, or undefined. Throws what reading it throws. */
export async function damageOfTable(path: string): Promise<string | undefined> {
  const file = await readFile(path);
  try {
    await verify(file);
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  }
}

class Damage extends Error {}

async function verify(file: Buffer): Promise<void> {
  if (file.length < FOOTER_BYTES || file.readBigUInt64LE(file.length - 8) !== MAGIC) throw new Damage('it has no footer');
  const footer = new Cursor(file.subarray(file.length - FOOTER_BYTES));
  const [metaindex, index] = [footer.handle(), footer.handle()];
  const handles = [...handlesIn(blockAt(file, metaindex)), ...handlesIn(blockAt(file, index))];
  let bytes = 0;
  for (const handle of handles) {
    checkBlock(file, handle);
    bytes += handle.size;
    if (bytes < TURN_BYTES) continue;
    bytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function checkBlock(file: Buffer, { offset, size }: Handle): void {
  const end = offset + size;
  if (end + TRAILER_BYTES > file.length - FOOTER_BYTES) throw new Damage(`a block at ${offset} goes beyond the end`);
  const crc = crc32c(file.subarray(offset, end + 1));
  const masked = (((crc >>> 15) | (crc << 17)) + CRC_MASK) >>> 0;
  if (file.readUInt32LE(end + 1) !== masked) throw new Damage(`the block at ${offset}, of ${size} bytes, has a wrong checksum`);
}

function blockAt(file: Buffer, handle: Handle): Buffer {
  checkBlock(file, handle);
  const { offset, size } = handle;
  const block = file.subarray(offset, offset + size);
  return file[offset + size] === SNAPPY ? unfold(block) : block;
}

function handlesIn(block: Buffer): readonly Handle[] {
  if (block.length < 4) throw new Damage('an index ends early');
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4);
  const handles: Handle[] = [];
  const cursor = new Cursor(block.subarray(0, Math.max(0, end)));
  while (!cursor.atEnd) {
    cursor.varint();
    const unshared = cursor.varint();
    const length = cursor.varint();
    cursor.skip(unshared);
    const value = new Cursor(cursor.skip(length));
    handles.push(value.handle());
  }
  return handles;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 50; factor *= 128) {
      const byte = this.skip(1)[0] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new Damage('a number is too long');
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() };
  }

  skip(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new Damage('an index ends early');
    const passed = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return passed;
  }
}

/** Snappy's raw format: literals, and copies of what came before. */
function unfold(block: Buffer): Buffer {
  const cursor = new Cursor(block);
  const length = cursor.varint();
  if (length > UNFOLDED_BYTES_MAX) throw new Damage('an index is too large');
  const out = Buffer.alloc(length);
  let at = 0;
  const little = (bytes: Buffer): number => bytes.readUIntLE(0, bytes.length);
  while (!cursor.atEnd) {
    const tag = cursor.skip(1)[0] ?? 0;
    const upper = tag >>> 2;
    if ((tag & 3) === 0) {
      const count = (upper < 60 ? upper : little(cursor.skip(upper - 59))) + 1;
      if (at + count > length) throw new Damage('an index is folded wrongly');
      at += cursor.skip(count).copy(out, at);
      continue;
    }
    const isShort = (tag & 3) === 1;
    const count = isShort ? (upper & 7) + 4 : upper + 1;
    const back = isShort ? ((tag >>> 5) << 8) | little(cursor.skip(1)) : little(cursor.skip((tag & 3) === 2 ? 2 : 4));
    if (back === 0 || back > at || at + count > length) throw new Damage('an index is folded wrongly');
    for (let copied = 0; copied < count; copied++, at++) out[at] = out[at - back] ?? 0;
  }
  return out;
}

/** Of the polynomial that iSCSI and LevelDB use; zlib's is another. */
const CRC32C = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function crc32c(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) crc = (CRC32C[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
