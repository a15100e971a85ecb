// Cursors as apps hold them: opaque, and useless for another app or query.
//
//   cursor := 01 app:4 query:8 position      `app` and `query` are the first bytes of SHA-256 sums
//
// Nothing secret is in them and nothing is taken on trust: a position only chooses where the query's own scans begin.
import { createHash } from 'node:crypto';
import { encodeValue } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Filter, type Query } from '../../sdk/contract/query.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';

const FORMAT_VERSION = 0x01;
const APP_BYTES = 4;
const QUERY_BYTES = 8;
const HEADER_BYTES = 1 + APP_BYTES + QUERY_BYTES;

/** The header of all cursors of one query: offset, limit and the cursors themselves may change from batch to batch. */
export function cursorHeader(query: Query, appId: string): Buffer {
  const app = createHash('sha256').update(appId).digest().subarray(0, APP_BYTES);
  const shape = createHash('sha256').update(shapeOf(query)).digest().subarray(0, QUERY_BYTES);
  return Buffer.concat([Buffer.from([FORMAT_VERSION]), app, shape]);
}

export function encodeCursor(header: Buffer, position: Buffer): Buffer {
  return Buffer.concat([header, position]);
}

/** The cursor right behind the result at `position`. */
export function cursorBehind(header: Buffer, position: Buffer): Buffer {
  const cursor = Buffer.allocUnsafe(header.length + position.length + 1);
  cursor.set(header, 0);
  cursor.set(position, header.length);
  cursor[cursor.length - 1] = 0;
  return cursor;
}

/** The position. Throws DS_INVALID for what is no cursor or one of another query, DS_FORBIDDEN for one of another app. */
export function decodeCursor(header: Buffer, cursor: Uint8Array): Buffer {
  const bytes = Buffer.from(cursor);
  if (bytes.length < HEADER_BYTES || bytes[0] !== FORMAT_VERSION) throw new PlatformError('DS_INVALID', 'the cursor cannot be read');
  const isEqual = (from: number, to: number): boolean => bytes.subarray(from, to).equals(header.subarray(from, to));
  if (!isEqual(1, 1 + APP_BYTES)) throw new PlatformError('DS_FORBIDDEN', 'a cursor of another app');
  if (!isEqual(1 + APP_BYTES, HEADER_BYTES)) throw new PlatformError('DS_INVALID', 'cursor does not match query');
  return bytes.subarray(HEADER_BYTES);
}

function shapeOf(query: Query): Buffer {
  const writer = new OrderedWriter();
  writer
    .text(query.databaseId)
    .text(query.namespace)
    .text(query.entityKind ?? '');
  const list = (names: readonly string[]): void => {
    writer.uint32(names.length);
    for (const name of names) writer.text(name);
  };
  list(query.projection ?? []);
  list(query.distinctOn ?? []);
  list(query.orders.map(({ property, direction }) => `${direction} ${property}`));
  if (query.filter) writeFilter(writer, query.filter);
  return writer.take();
}

function writeFilter(writer: OrderedWriter, filter: Filter): void {
  writer.text(filter.kind);
  if (filter.kind === 'property') {
    writer.text(filter.property).text(filter.operator).blob(encodeValue(filter.value));
    return;
  }
  writer.uint32(filter.filters.length);
  for (const one of filter.filters) writeFilter(writer, one);
}
