// Keys, values and entities as JSON, in the form of the public v1 REST API (admin/data.ts states the types): what people
// and programs read and write by hand. The bytes that are stored: entity-proto.ts.
// A double below zero that is zero is the text "-0", since JSON writes both zeros alike; a geo point's zeros are one and the same.
import { assertNever } from '../support/assert.ts';
import { type JsonKey, type JsonValue } from './admin/data.ts';
import { type Properties, type Value, type ValueBody } from './entity.ts';
import { PlatformError } from './errors.ts';
import { type Key, type PathElement } from './key.ts';
import { LIMITS } from './limits.ts';
import { formatTimestamp, parseStoredTimestamp } from './timestamp-text.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INT32_MAX = 2 ** 31 - 1;

// --- To JSON ------------------------------------------------------------------------------------------------------------

export function keyToJson(key: Key): JsonKey {
  const { projectId, databaseId, namespace } = key;
  const partitionId = {
    ...(projectId === '' ? {} : { projectId }),
    ...(databaseId === '' ? {} : { databaseId }),
    ...(namespace === '' ? {} : { namespaceId: namespace }),
  };
  const path = key.path.map(({ kind, id, name }) => ({
    kind,
    ...(id === undefined ? {} : { id: String(id) }),
    ...(name === undefined ? {} : { name }),
  }));
  return { ...(Object.keys(partitionId).length === 0 ? {} : { partitionId }), path };
}

export function propertiesToJson(properties: Properties): Record<string, JsonValue> {
  const json = Object.create(null) as Record<string, JsonValue>;
  for (const name of Object.keys(properties)) {
    const value = properties[name];
    if (value) json[name] = valueToJson(value);
  }
  return json;
}

export function valueToJson(value: Value): JsonValue {
  return {
    ...bodyToJson(value),
    ...(value.meaning === undefined ? {} : { meaning: value.meaning }),
    ...(value.excludeFromIndexes ? { excludeFromIndexes: true } : {}),
  };
}

function bodyToJson(value: ValueBody): JsonValue {
  switch (value.kind) {
    case 'null':
      return { nullValue: null };
    case 'boolean':
      return { booleanValue: value.value };
    case 'integer':
      return { integerValue: String(value.value) };
    case 'double':
      return { doubleValue: doubleToJson(value.value) };
    case 'timestamp':
      return { timestampValue: formatTimestamp(value.micros) };
    case 'key':
      return { keyValue: keyToJson(value.value) };
    case 'string':
      return { stringValue: value.value };
    case 'blob':
      return { blobValue: Buffer.from(value.value).toString('base64') };
    case 'geoPoint':
      return { geoPointValue: { latitude: value.latitude, longitude: value.longitude } };
    case 'entity': {
      const { key, properties } = value.value;
      return { entityValue: { ...(key ? { key: keyToJson(key) } : {}), properties: propertiesToJson(properties) } };
    }
    case 'array':
      return { arrayValue: { values: value.values.map(valueToJson) } };
    default:
      return assertNever(value);
  }
}

function doubleToJson(double: number): NonNullable<JsonValue['doubleValue']> {
  if (Object.is(double, -0)) return '-0';
  if (Number.isFinite(double)) return double;
  return Number.isNaN(double) ? 'NaN' : double > 0 ? 'Infinity' : '-Infinity';
}

// --- From JSON ----------------------------------------------------------------------------------------------------------

type JsonObject = Readonly<Record<string, unknown>>;

/** Throws DS_INVALID naming the member that does not fit. Whether the key may be used is the datastore's to say. */
export function keyFromJson(json: unknown, at = 'key'): Key {
  const { partitionId, path } = members(json, ['partitionId', 'path'], at);
  const partition = partitionId === undefined ? {} : members(partitionId, ['projectId', 'databaseId', 'namespaceId'], `${at}.partitionId`);
  const part = (name: string): string => {
    const value = partition[name];
    return value === undefined ? '' : text(value, `${at}.partitionId.${name}`);
  };
  const elements = list(path, `${at}.path`);
  if (elements.length > LIMITS.keyPathElementsMax)
    throw new PlatformError('DS_LIMIT', `Key path has more than ${LIMITS.keyPathElementsMax} elements.`);
  return {
    projectId: part('projectId'),
    databaseId: part('databaseId'),
    namespace: part('namespaceId'),
    path: elements.map((element, index) => pathElementFromJson(element, `${at}.path[${index}]`)),
  };
}

/** Throws DS_INVALID naming the member that does not fit, DS_LIMIT for too deep nesting. */
export function propertiesFromJson(json: unknown, at = 'properties'): Properties {
  return propertiesAt(json, at, 0);
}

/** Throws what `propertiesFromJson` throws. */
export function valueFromJson(json: unknown, at = 'value'): Value {
  return valueAt(json, at, 0);
}

function pathElementFromJson(json: unknown, at: string): PathElement {
  const { kind, id, name } = members(json, ['kind', 'id', 'name'], at);
  if (id !== undefined && name !== undefined) throw misfit(at, 'either an id or a name');
  return {
    kind: text(kind, `${at}.kind`),
    ...(id === undefined ? {} : { id: integer(id, `${at}.id`) }),
    ...(name === undefined ? {} : { name: text(name, `${at}.name`) }),
  };
}

function propertiesAt(json: unknown, at: string, depth: number): Properties {
  if (!isObject(json)) throw misfit(at, 'an object of values');
  const properties = Object.create(null) as Record<string, Value>;
  for (const [name, value] of Object.entries(json)) properties[name] = valueAt(value, `${at}${memberPath(name)}`, depth);
  return properties;
}

function valueAt(json: unknown, at: string, depth: number): Value {
  if (!isObject(json)) throw misfit(at, `an object with one of ${Object.keys(READERS).join(', ')}`);
  let body: ValueBody | undefined;
  for (const [name, given] of Object.entries(json)) {
    if (name === 'meaning' || name === 'excludeFromIndexes') continue;
    const read = Object.hasOwn(READERS, name) ? READERS[name as keyof typeof READERS] : undefined;
    if (!read) throw unknownMember(`${at}${memberPath(name)}`);
    if (body) throw misfit(at, 'exactly one …Value member');
    body = read(given, `${at}.${name}`, depth);
  }
  if (!body) throw misfit(at, `one of ${Object.keys(READERS).join(', ')}`);
  const { meaning, excludeFromIndexes } = json;
  if (meaning !== undefined && !isInt32(meaning)) throw misfit(`${at}.meaning`, 'a whole number from 0 to 2147483647');
  if (excludeFromIndexes !== undefined && typeof excludeFromIndexes !== 'boolean')
    throw misfit(`${at}.excludeFromIndexes`, 'true or false');
  return { ...body, ...(meaning === undefined ? {} : { meaning }), ...(excludeFromIndexes === true ? { excludeFromIndexes } : {}) };
}

type Reader = (json: unknown, at: string, depth: number) => ValueBody;

const READERS = {
  nullValue: (json, at) => {
    if (json !== null && json !== 'NULL_VALUE') throw misfit(at, 'null');
    return { kind: 'null' };
  },
  booleanValue: (json, at) => {
    if (typeof json !== 'boolean') throw misfit(at, 'true or false');
    return { kind: 'boolean', value: json };
  },
  integerValue: (json, at) => ({ kind: 'integer', value: integer(json, at) }),
  doubleValue: (json, at) => ({ kind: 'double', value: double(json, at) }),
  timestampValue: (json, at) => {
    const micros = parseStoredTimestamp(text(json, at));
    if (micros === undefined) throw misfit(at, 'an RFC 3339 time of the years 0001 to 9999, such as 2026-01-02T03:04:05.678Z');
    return { kind: 'timestamp', micros };
  },
  stringValue: (json, at) => ({ kind: 'string', value: text(json, at) }),
  blobValue: (json, at) => ({ kind: 'blob', value: base64(text(json, at), at) }),
  keyValue: (json, at) => ({ kind: 'key', value: keyFromJson(json, at) }),
  geoPointValue: (json, at) => {
    const { latitude = 0, longitude = 0 } = members(json, ['latitude', 'longitude'], at);
    return { kind: 'geoPoint', latitude: finite(latitude, `${at}.latitude`), longitude: finite(longitude, `${at}.longitude`) };
  },
  entityValue: (json, at, depth) => {
    if (depth + 1 > LIMITS.entityDepthMax) throw new PlatformError('DS_LIMIT', `entities nest deeper than ${LIMITS.entityDepthMax}`);
    const { key, properties } = members(json, ['key', 'properties'], at);
    return {
      kind: 'entity',
      value: {
        ...(key === undefined ? {} : { key: keyFromJson(key, `${at}.key`) }),
        properties: propertiesAt(properties ?? {}, `${at}.properties`, depth + 1),
      },
    };
  },
  arrayValue: (json, at, depth) => {
    const { values } = members(json, ['values'], at);
    const items = values === undefined ? [] : list(values, `${at}.values`);
    return {
      kind: 'array',
      values: items.map((item, index) => {
        const place = `${at}.values[${index}]`;
        if (isObject(item) && 'arrayValue' in item)
          throw new PlatformError('DS_INVALID', `${place}: an array cannot hold another array directly`);
        return valueAt(item, place, depth);
      }),
    };
  },
} satisfies Record<string, Reader>;

/** The object with no members but `names`. */
function members(json: unknown, names: readonly string[], at: string): JsonObject {
  if (!isObject(json)) throw misfit(at, `an object with ${names.join(', ')}`);
  for (const name of Object.keys(json)) if (!names.includes(name)) throw unknownMember(`${at}${memberPath(name)}`);
  return json;
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function list(json: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(json)) throw misfit(at, 'a list');
  return json as readonly unknown[];
}

function text(json: unknown, at: string): string {
  if (typeof json !== 'string') throw misfit(at, 'text');
  return json;
}

/** Decimal text, or a number that is exact. */
function integer(json: unknown, at: string): bigint {
  const isNumber = typeof json === 'number' && Number.isSafeInteger(json);
  if (!isNumber && !(typeof json === 'string' && /^-?\d{1,19}$/.test(json))) throw misfit(at, 'a whole number as text, such as "42"');
  const value = BigInt(json);
  if (value > INT64_MAX || value < INT64_MIN) throw misfit(at, 'a whole number of 64 bits');
  return value;
}

function double(json: unknown, at: string): number {
  if (json === 'NaN') return NaN;
  if (json === 'Infinity') return Infinity;
  if (json === '-Infinity') return -Infinity;
  if (json === '-0') return -0;
  if (typeof json !== 'number') throw misfit(at, 'a number, "NaN", "Infinity" or "-Infinity"');
  return json;
}

function finite(json: unknown, at: string): number {
  if (typeof json !== 'number') throw misfit(at, 'a number');
  return json;
}

/** Both alphabets, with or without padding, as the public API takes them. */
function base64(json: string, at: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(json) || json.replace(/=+$/, '').length % 4 === 1) throw misfit(at, 'base64');
  return Buffer.from(json, 'base64');
}

function isInt32(json: unknown): json is number {
  return typeof json === 'number' && Number.isInteger(json) && json >= 0 && json <= INT32_MAX;
}

function memberPath(name: string): string {
  const shown = name.slice(0, 100);
  return /^[A-Za-z_]\w*$/.test(shown) ? `.${shown}` : `[${JSON.stringify(shown)}]`;
}

function misfit(at: string, want: string): PlatformError {
  return new PlatformError('DS_INVALID', `${at}: want ${want}`, { details: { field: at } });
}

function unknownMember(at: string): PlatformError {
  return new PlatformError('DS_INVALID', `${at}: no such member`, { details: { field: at } });
}
