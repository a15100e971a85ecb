// Entities, keys and values as the bytes of the public messages google.datastore.v1.{Entity,Key,Value}
// (field numbers: reference, section 1.2). Unknown fields are passed over.
import { assertNever } from '../support/assert.ts';
import { type EmbeddedEntity, type Entity, type Value, type ValueBody } from './entity.ts';
import { PlatformError } from './errors.ts';
import { type Key, type PathElement } from './key.ts';
import { LIMITS } from './limits.ts';
import { ProtoReader, ProtoWriter } from './protobuf.ts';

const MICROS_PER_SECOND = 1_000_000n;
const NANOS_PER_MICRO = 1_000;

/** One for all messages: none is begun within another. */
const messages = new ProtoWriter();
/** Whether a timestamp that was read lost digits; one for all likewise. */
let wasTimeCut = false;

/** The Entity message. Throws DS_INVALID for strings that UTF-8 cannot carry, DS_LIMIT for too deep nesting. */
export function encodeEntity(entity: Entity): Buffer {
  writeEntity(messages.clear(), entity, 0);
  return messages.finish();
}

/** Throws DS_INVALID on malformed bytes or without a key, DS_LIMIT for too deep nesting. */
export function decodeEntity(bytes: Uint8Array): Entity {
  const { key, properties } = readEntity(new ProtoReader(bytes), 0);
  if (!key) throw new PlatformError('DS_INVALID', 'an entity needs a key');
  return { key, properties };
}

/**
 * Likewise of an entity that is to be stored. `isExact`: the bytes say no more than the entity does. They do where a timestamp is
 * finer than the microseconds that are kept.
 */
export function decodeSentEntity(bytes: Uint8Array): { readonly entity: Entity; readonly isExact: boolean } {
  wasTimeCut = false;
  const entity = decodeEntity(bytes);
  return { entity, isExact: !wasTimeCut };
}

/** Only the key of an Entity message. */
export function decodeEntityKey(bytes: Uint8Array): Key {
  const reader = new ProtoReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) return readKey(reader.message());
    reader.skip();
  }
  throw new PlatformError('DS_INVALID', 'an entity needs a key');
}

export function encodeKey(key: Key): Buffer {
  writeKey(messages.clear(), key);
  return messages.finish();
}

/** The field `key` of an Entity message, its tag and length before it. */
export function encodeKeyField(key: Key): Buffer {
  messages.clear().messageField(1, () => writeKey(messages, key));
  return messages.finish();
}

export function decodeKey(bytes: Uint8Array): Key {
  return readKey(new ProtoReader(bytes));
}

export function encodeValue(value: Value): Buffer {
  writeValue(messages.clear(), value, 0);
  return messages.finish();
}

export function decodeValue(bytes: Uint8Array): Value {
  return readValue(new ProtoReader(bytes), 0);
}

function writeEntity(writer: ProtoWriter, entity: EmbeddedEntity, depth: number): void {
  const { key } = entity;
  if (key) writer.messageField(1, () => writeKey(writer, key));
  for (const name in entity.properties) {
    const value = entity.properties[name];
    if (!value) continue;
    writer.messageField(3, () => {
      writer.stringField(1, name);
      writer.messageField(2, () => writeValue(writer, value, depth));
    });
  }
}

function writeKey(writer: ProtoWriter, key: Key): void {
  if (key.projectId || key.databaseId || key.namespace) {
    writer.messageField(1, () => {
      if (key.projectId) writer.stringField(2, key.projectId);
      if (key.databaseId) writer.stringField(3, key.databaseId);
      if (key.namespace) writer.stringField(4, key.namespace);
    });
  }
  for (const element of key.path) {
    writer.messageField(2, () => {
      writer.stringField(1, element.kind);
      if (element.id !== undefined) writer.varintField(2, element.id);
      else if (element.name !== undefined) writer.stringField(3, element.name);
    });
  }
}

function writeValue(writer: ProtoWriter, value: Value, depth: number): void {
  writeBody(writer, value, depth);
  if (value.meaning !== undefined && value.meaning !== 0) writer.varintField(14, BigInt(value.meaning));
  if (value.excludeFromIndexes) writer.smallField(19, 1);
}

function writeBody(writer: ProtoWriter, value: ValueBody, depth: number): void {
  switch (value.kind) {
    case 'null':
      writer.smallField(11, 0);
      return;
    case 'boolean':
      writer.smallField(1, value.value ? 1 : 0);
      return;
    case 'integer':
      writer.varintField(2, value.value);
      return;
    case 'double':
      writer.doubleField(3, value.value);
      return;
    case 'timestamp':
      writer.messageField(10, () => writeTimestamp(writer, value.micros));
      return;
    case 'key':
      writer.messageField(5, () => writeKey(writer, value.value));
      return;
    case 'string':
      writer.stringField(17, value.value);
      return;
    case 'blob':
      writer.bytesField(18, value.value);
      return;
    case 'geoPoint':
      writer.messageField(8, () => {
        writer.doubleField(1, value.latitude);
        writer.doubleField(2, value.longitude);
      });
      return;
    case 'entity':
      checkDepth(depth + 1);
      writer.messageField(6, () => writeEntity(writer, value.value, depth + 1));
      return;
    case 'array':
      writer.messageField(9, () => {
        for (const item of value.values) {
          if (item.kind === 'array') throw listInList();
          writer.messageField(1, () => writeValue(writer, item, depth));
        }
      });
      return;
    default:
      assertNever(value);
  }
}

function writeTimestamp(writer: ProtoWriter, micros: bigint): void {
  const within = ((micros % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const seconds = (micros - within) / MICROS_PER_SECOND;
  if (seconds !== 0n) writer.varintField(1, seconds);
  if (within !== 0n) writer.smallField(2, Number(within) * NANOS_PER_MICRO);
}

function readEntity(reader: ProtoReader, depth: number): EmbeddedEntity {
  let key: Key | undefined;
  const properties = Object.create(null) as Record<string, Value>;
  while (reader.next()) {
    if (reader.field === 1) key = readKey(reader.message());
    else if (reader.field === 3) readProperty(reader.message(), properties, depth);
    else reader.skip();
  }
  return key ? { key, properties } : { properties };
}

function readProperty(reader: ProtoReader, properties: Record<string, Value>, depth: number): void {
  let name = '';
  let value: Value | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) value = readValue(reader.message(), depth);
    else reader.skip();
  }
  properties[name] = value ?? { kind: 'null' };
}

function readKey(reader: ProtoReader): Key {
  let projectId = '';
  let databaseId = '';
  let namespace = '';
  const path: PathElement[] = [];
  while (reader.next()) {
    if (reader.field === 1) {
      const partition = reader.message();
      while (partition.next()) {
        if (partition.field === 2) projectId = partition.string();
        else if (partition.field === 3) databaseId = partition.string();
        else if (partition.field === 4) namespace = partition.string();
        else partition.skip();
      }
    } else if (reader.field === 2) path.push(readPathElement(reader.message()));
    else reader.skip();
    if (path.length > LIMITS.keyPathElementsMax)
      throw new PlatformError('DS_LIMIT', `Key path has more than ${LIMITS.keyPathElementsMax} elements.`);
  }
  return { projectId, databaseId, namespace, path };
}

function readPathElement(reader: ProtoReader): PathElement {
  let kind = '';
  let id: bigint | undefined;
  let name: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) kind = reader.string();
    else if (reader.field === 2) {
      id = reader.int64();
      name = undefined;
    } else if (reader.field === 3) {
      name = reader.string();
      id = undefined;
    } else reader.skip();
  }
  if (id !== undefined) return { kind, id };
  return name === undefined ? { kind } : { kind, name };
}

/** `lists`: how many it stands in directly, one within the other. */
function readValue(reader: ProtoReader, depth: number, lists = 0): Value {
  let body: ValueBody | undefined;
  let meaning: number | undefined;
  let excludeFromIndexes = false;
  while (reader.next()) {
    if (reader.field === 14) meaning = reader.small();
    else if (reader.field === 19) excludeFromIndexes = reader.small() !== 0;
    else {
      const read = readBody(reader, depth, lists);
      if (read) body = read;
      else reader.skip();
    }
  }
  // A Value without any of its fields set is null in the public API.
  const value: ValueBody = body ?? { kind: 'null' };
  if (meaning === undefined && !excludeFromIndexes) return value;
  return { ...value, ...(meaning === undefined ? {} : { meaning }), ...(excludeFromIndexes ? { excludeFromIndexes } : {}) };
}

function readBody(reader: ProtoReader, depth: number, lists: number): ValueBody | undefined {
  switch (reader.field) {
    case 1:
      return { kind: 'boolean', value: reader.small() !== 0 };
    case 2:
      return { kind: 'integer', value: reader.int64() };
    case 3:
      return { kind: 'double', value: reader.double() };
    case 5:
      return { kind: 'key', value: readKey(reader.message()) };
    case 6:
      checkDepth(depth + 1);
      return { kind: 'entity', value: readEntity(reader.message(), depth + 1) };
    case 8:
      return readGeoPoint(reader.message());
    case 9:
      return readArray(reader.message(), depth, lists + 1);
    case 10:
      return { kind: 'timestamp', micros: readTimestamp(reader.message()) };
    case 11:
      reader.small();
      return { kind: 'null' };
    case 17:
      return { kind: 'string', value: reader.string() };
    case 18:
      // A copy: the value may outlive the frame that it came in.
      return { kind: 'blob', value: Buffer.from(reader.bytes()) };
    default:
      return undefined;
  }
}

function readArray(reader: ProtoReader, depth: number, lists: number): ValueBody {
  // Before it is read: hostile bytes nest them without end.
  if (lists > LIMITS.entityDepthMax) throw listInList();
  const values: Value[] = [];
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const item = readValue(reader.message(), depth, lists);
    if (item.kind === 'array') throw listInList();
    values.push(item);
  }
  return { kind: 'array', values };
}

function listInList(): PlatformError {
  return new PlatformError('DS_INVALID', 'list_value cannot contain a Value containing another list_value.');
}

function readGeoPoint(reader: ProtoReader): ValueBody {
  let latitude = 0;
  let longitude = 0;
  while (reader.next()) {
    if (reader.field === 1) latitude = reader.double();
    else if (reader.field === 2) longitude = reader.double();
    else reader.skip();
  }
  return { kind: 'geoPoint', latitude, longitude };
}

function readTimestamp(reader: ProtoReader): bigint {
  let seconds = 0n;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int64();
    else if (reader.field === 2) nanos = reader.small();
    else reader.skip();
  }
  if (nanos % NANOS_PER_MICRO !== 0) wasTimeCut = true;
  return seconds * MICROS_PER_SECOND + BigInt(Math.trunc(nanos / NANOS_PER_MICRO));
}

function checkDepth(depth: number): void {
  if (depth > LIMITS.entityDepthMax) throw new PlatformError('DS_LIMIT', `entities nest deeper than ${LIMITS.entityDepthMax}`);
}
