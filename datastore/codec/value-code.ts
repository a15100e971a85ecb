// Property values as bytes in the documented order of value types (reference, section 3.1):
// null < integers and timestamps < booleans < blobs < strings < doubles < geo points < keys.
//
//   value := 05 | 10 i64 | 18 | 19 | 20 str | 28 str | 30 double | 40 double double | 50 project:str db:str ns:str path
//
// Timestamps are written as integers of microseconds: one index space, as in App Engine. A descending column is the
// bitwise complement of its value.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { type OrderedReader } from './ordered-reader.ts';
import { type OrderedWriter } from './ordered-writer.ts';
import { readPath, skipPath, writePath } from './path-code.ts';

const NULL = 0x05;
const INTEGER = 0x10;
const FALSE = 0x18;
const TRUE = 0x19;
const BLOB = 0x20;
const STRING = 0x28;
const DOUBLE = 0x30;
const GEO_POINT = 0x40;
const KEY = 0x50;

/**
 * A value as it stands in ascending order. `appId` stands in for the empty project of a key. Throws DS_INVALID for an
 * array or an embedded entity, which have no place in the order.
 */
export function writeValue(writer: OrderedWriter, value: Value, appId: string): OrderedWriter {
  switch (value.kind) {
    case 'null':
      return writer.byte(NULL);
    case 'integer':
      return writer.byte(INTEGER).int64(value.value);
    case 'timestamp':
      return writer.byte(INTEGER).int64(value.micros);
    case 'boolean':
      return writer.byte(value.value ? TRUE : FALSE);
    case 'blob':
      return writer.byte(BLOB).blob(value.value);
    case 'string':
      return writer.byte(STRING).text(value.value);
    case 'double':
      return writer.byte(DOUBLE).double(value.value);
    case 'geoPoint':
      return writer.byte(GEO_POINT).double(value.latitude).double(value.longitude);
    case 'key': {
      const { projectId, databaseId, namespace, path } = value.value;
      return writePath(writeKeyHead(writer, projectId || appId, databaseId, namespace), path);
    }
    case 'array':
      throw new PlatformError('DS_INVALID', 'A list value is not allowed');
    case 'entity':
      throw new PlatformError('DS_INVALID', 'An entity value is not allowed');
  }
}

/** A key's value up to its path. */
export function writeKeyHead(writer: OrderedWriter, appId: string, databaseId: string, namespace: string): OrderedWriter {
  return writer.byte(KEY).text(appId).text(databaseId).text(namespace);
}

/** What an index knows of a value: a timestamp comes back as the integer of its microseconds. Throws DS_CORRUPT. */
export function readValue(reader: OrderedReader): Value {
  const tag = reader.byte();
  switch (tag) {
    case NULL:
      return { kind: 'null' };
    case INTEGER:
      return { kind: 'integer', value: reader.int64() };
    case FALSE:
    case TRUE:
      return { kind: 'boolean', value: tag === TRUE };
    case BLOB:
      return { kind: 'blob', value: Buffer.from(reader.blob()) };
    case STRING:
      return { kind: 'string', value: reader.text() };
    case DOUBLE:
      return { kind: 'double', value: reader.double() };
    case GEO_POINT:
      return { kind: 'geoPoint', latitude: reader.double(), longitude: reader.double() };
    case KEY: {
      const [projectId, databaseId, namespace] = [reader.text(), reader.text(), reader.text()];
      return { kind: 'key', value: { projectId, databaseId, namespace, path: readPath(reader) } };
    }
    default:
      throw new PlatformError('DS_CORRUPT', `value tag ${tag}`);
  }
}

/** Passes over one value. Throws DS_CORRUPT. */
export function skipValue(reader: OrderedReader): void {
  const tag = reader.byte();
  switch (tag) {
    case NULL:
    case FALSE:
    case TRUE:
      return;
    case INTEGER:
    case DOUBLE:
      reader.skip(8);
      return;
    case BLOB:
    case STRING:
      reader.skipStr();
      return;
    case GEO_POINT:
      reader.skip(16);
      return;
    case KEY:
      for (let part = 0; part < 3; part++) reader.skipStr();
      skipPath(reader);
      return;
    default:
      throw new PlatformError('DS_CORRUPT', `value tag ${tag}`);
  }
}

/** The type that App Engine's metadata names for the tag of an encoded value. Throws DS_CORRUPT. */
export function typeAt(tag: number): string {
  switch (tag) {
    case NULL:
      return 'NULL';
    case INTEGER:
      return 'INT64';
    case FALSE:
    case TRUE:
      return 'BOOLEAN';
    case BLOB:
    case STRING:
      return 'STRING';
    case DOUBLE:
      return 'DOUBLE';
    case GEO_POINT:
      return 'POINT';
    case KEY:
      return 'REFERENCE';
    default:
      throw new PlatformError('DS_CORRUPT', `value tag ${tag}`);
  }
}

/** The first tag behind all those of the type that `tag` belongs to. */
export function tagBehindType(tag: number): number {
  if (tag === FALSE) return TRUE + 1;
  return tag === BLOB ? STRING + 1 : tag + 1;
}

/** The bitwise complement: the same values in descending order. */
export function complement(bytes: Buffer): Buffer {
  const flipped = Buffer.allocUnsafe(bytes.length);
  for (let index = 0; index < bytes.length; index++) flipped[index] = ~(bytes[index] ?? 0);
  return flipped;
}
