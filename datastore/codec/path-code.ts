// Key paths as bytes in key order: elementwise, kind first, ids before names, a parent before its children.
//
//   path := elem+ END            END = 00, below any element, so that a path without END is the prefix of its descendants
//   elem := 10 kind:str ( 20 id:i64 | 30 name:str )
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type PathElement } from '../../sdk/contract/key.ts';
import { type OrderedReader } from './ordered-reader.ts';
import { type OrderedWriter } from './ordered-writer.ts';

export const PATH_END = 0x00;
const ELEMENT = 0x10;
const ID = 0x20;
const NAME = 0x30;

/** The elements without END. The last one must be complete. */
export function writePathPrefix(writer: OrderedWriter, path: readonly PathElement[]): OrderedWriter {
  for (const element of path) {
    writer.byte(ELEMENT).text(element.kind);
    if (element.id !== undefined) writer.byte(ID).int64(element.id);
    else if (element.name !== undefined) writer.byte(NAME).text(element.name);
    else throw new PlatformError('DS_INVALID', `Key path is incomplete: the element of kind ${JSON.stringify(element.kind)}`);
  }
  return writer;
}

export function writePath(writer: OrderedWriter, path: readonly PathElement[]): OrderedWriter {
  return writePathPrefix(writer, path).byte(PATH_END);
}

/** Reads up to and with END. Throws DS_CORRUPT. */
export function readPath(reader: OrderedReader): readonly PathElement[] {
  const path: PathElement[] = [];
  for (;;) {
    const tag = reader.byte();
    if (tag === PATH_END) return path;
    if (tag !== ELEMENT) throw new PlatformError('DS_CORRUPT', `path element tag ${tag}`);
    const kind = reader.text();
    const idOrName = reader.byte();
    if (idOrName === ID) path.push({ kind, id: reader.int64() });
    else if (idOrName === NAME) path.push({ kind, name: reader.text() });
    else throw new PlatformError('DS_CORRUPT', `path identifier tag ${idOrName}`);
  }
}

/** Passes over a path with its END. */
export function skipPath(reader: OrderedReader): void {
  while (reader.byte() !== PATH_END) {
    reader.skipStr();
    if (reader.byte() === ID) reader.skip(8);
    else reader.skipStr();
  }
}

/**
 * The offsets in an encoded path at which each element ends, so that `path.subarray(0, offset)` is the prefix of an
 * ancestor or of the key itself.
 */
export function elementEnds(path: Buffer, reader: OrderedReader): readonly number[] {
  const ends: number[] = [];
  while (reader.byte() !== PATH_END) {
    reader.skipStr();
    if (reader.byte() === ID) reader.skip(8);
    else reader.skipStr();
    ends.push(reader.offset);
  }
  return ends;
}

/** The offset of the kind of a path's last element. */
export function lastKindStart(reader: OrderedReader): number {
  let start = 0;
  while (reader.byte() !== PATH_END) {
    start = reader.offset;
    reader.skipStr();
    if (reader.byte() === ID) reader.skip(8);
    else reader.skipStr();
  }
  return start;
}
