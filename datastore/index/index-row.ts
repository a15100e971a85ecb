// The X row of a composite index: what it is on, how far it has come, and from when on a read may trust it.
//
//   index row     := checked row of: state:u8 ancestor:u8 kind:str count:u16 column* since:u64 done:u64 estimate:u64 reason:str progress
//   column        := direction:u8 name:str          direction 00 ascending, 01 descending
//   state         := 00 building | 01 serving | 02 error | 03 deleting
//   old index row := 01 state ancestor kind:str count:u16 column* progress
//
// The old row, of the first version, is still read: since, done and estimate are 0. An index that was being built then has
// rows of entities beyond its progress, which today's backfill would leave behind when they change: it is in error, so that
// whoever wants it makes another.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexProperty, type IndexState } from '../../sdk/contract/index-definition.ts';
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { type CompositeIndex } from './composite-index.ts';

const OLD_FORMAT_VERSION = 0x01;
/** By their byte. */
const STATES: readonly IndexState[] = ['building', 'serving', 'error', 'deleting'];
const OLD_BUILDING = 'an earlier version began to build it; create it again';
const NO_BYTES = Buffer.alloc(0);

export function encodeIndex(index: CompositeIndex): Buffer {
  const { kind, ancestor, properties } = index.definition;
  const writer = new OrderedWriter();
  writer
    .byte(STATES.indexOf(index.state))
    .byte(ancestor ? 1 : 0)
    .text(kind);
  writer.byte(properties.length >> 8).byte(properties.length & 0xff);
  for (const { name, direction } of properties) writer.byte(direction === 'desc' ? 1 : 0).text(name);
  writer.uint64(index.since).uint64(BigInt(index.done)).uint64(BigInt(index.estimate));
  writer.text(index.reason ?? '').raw(index.progress ?? NO_BYTES);
  return encodeCheckedRow(writer.take());
}

/** Throws DS_CORRUPT. */
export function decodeIndex(id: number, row: Buffer): CompositeIndex {
  const isOld = row[0] === OLD_FORMAT_VERSION;
  const body = isOld ? row.subarray(1) : decodeCheckedRow(row, 'an index row');
  const reader = new OrderedReader(body);
  const state = STATES[reader.byte()];
  if (!state) throw new PlatformError('DS_CORRUPT', 'an index row of an unknown state');
  const ancestor = reader.byte() === 1;
  const kind = reader.text();
  const count = reader.byte() * 256 + reader.byte();
  const properties = Array.from({ length: count }, (): IndexProperty => {
    const direction = reader.byte() === 1 ? 'desc' : 'asc';
    return { direction, name: reader.text() };
  });
  const since = isOld ? 0n : reader.uint64();
  const [done, estimate] = isOld ? [0, 0] : [Number(reader.uint64()), Number(reader.uint64())];
  const reason = isOld ? '' : reader.text();
  const definition = { kind, ancestor, properties };
  if (isOld && state === 'building') return { id, definition, state: 'error', since, done, estimate, reason: OLD_BUILDING };
  return {
    ...{ id, definition, state, since, done, estimate },
    ...(reason === '' ? {} : { reason }),
    ...(reader.atEnd ? {} : { progress: body.subarray(reader.offset) }),
  };
}
