// The index layer: which rows an entity has besides its own, and the composite indexes of each app.
// Must not know queries or transactions of users, nor decide what to read.
// Read next: index-rows.ts (what a write writes), index-catalog.ts (which indexes there are), index-builder.ts (backfill).
//
// States of a composite index: building → serving; building → error (an entity exceeds a limit); error → building (ensured
// again). Commits maintain an index in every state, so that it never misses a write; queries use serving ones only.
//
//   index row := 01 state:u8 ancestor:u8 kind:str count:u16 column* progress?
//   column    := direction:u8 name:str          direction 00 ascending, 01 descending
//   state     := 00 building | 01 serving | 02 error
//   progress  := the key of the last kind row that the backfill has done; absent before the first and when not building
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, type IndexProperty, type IndexState } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { isReserved } from '../codec/key-check.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';

export interface CompositeIndex {
  /** Unique within the app, never used again. */
  readonly id: number;
  readonly definition: IndexDefinition;
  readonly state: IndexState;
  readonly progress?: Buffer;
}

const FORMAT_VERSION = 0x01;
const STATES: readonly IndexState[] = ['building', 'serving', 'error'];

export function encodeIndex(index: CompositeIndex): Buffer {
  const { kind, ancestor, properties } = index.definition;
  const writer = new OrderedWriter();
  writer
    .byte(FORMAT_VERSION)
    .byte(STATES.indexOf(index.state))
    .byte(ancestor ? 1 : 0)
    .text(kind);
  writer.byte(properties.length >> 8).byte(properties.length & 0xff);
  for (const { name, direction } of properties) writer.byte(direction === 'desc' ? 1 : 0).text(name);
  if (index.progress) writer.raw(index.progress);
  return writer.take();
}

/** Throws DS_CORRUPT. */
export function decodeIndex(id: number, bytes: Buffer): CompositeIndex {
  const reader = new OrderedReader(bytes);
  if (reader.byte() !== FORMAT_VERSION) throw new PlatformError('DS_CORRUPT', 'an index row of an unknown format');
  const state = STATES[reader.byte()];
  if (!state) throw new PlatformError('DS_CORRUPT', 'an index row of an unknown state');
  const ancestor = reader.byte() === 1;
  const kind = reader.text();
  const count = reader.byte() * 256 + reader.byte();
  const properties = Array.from({ length: count }, (): IndexProperty => {
    const direction = reader.byte() === 1 ? 'desc' : 'asc';
    return { direction, name: reader.text() };
  });
  const definition: IndexDefinition = { kind, ancestor, properties };
  return reader.atEnd ? { id, definition, state } : { id, definition, state, progress: bytes.subarray(reader.offset) };
}

export function isSameDefinition(left: IndexDefinition, right: IndexDefinition): boolean {
  return (
    left.kind === right.kind &&
    left.ancestor === right.ancestor &&
    left.properties.length === right.properties.length &&
    left.properties.every(({ name, direction }, at) => name === right.properties[at]?.name && direction === right.properties[at].direction)
  );
}

/** Throws DS_INVALID or DS_LIMIT for a definition that cannot be an index. */
export function checkDefinition({ kind, properties }: IndexDefinition): void {
  if (kind === '' || isReserved(kind)) throw new PlatformError('DS_INVALID', `an index cannot be on the kind ${JSON.stringify(kind)}`);
  if (Buffer.byteLength(kind) > LIMITS.keyNameBytesMax)
    throw new PlatformError('DS_LIMIT', `a kind has at most ${LIMITS.keyNameBytesMax} bytes`);
  if (properties.length === 0) throw new PlatformError('DS_INVALID', `the index on ${kind} names no property`);
  if (properties.length > LIMITS.compositePropertiesMax) {
    throw new PlatformError('DS_LIMIT', `an index has at most ${LIMITS.compositePropertiesMax} properties`);
  }
  for (const { name } of properties) {
    if (name === '' || isReserved(name)) throw new PlatformError('DS_INVALID', `an index cannot hold the property ${JSON.stringify(name)}`);
    if (Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
      throw new PlatformError('DS_LIMIT', `a property name has at most ${LIMITS.keyNameBytesMax} bytes`);
    }
  }
  if (new Set(properties.map(({ name }) => name)).size < properties.length) {
    throw new PlatformError('DS_INVALID', `the index on ${kind} names a property twice`);
  }
}
