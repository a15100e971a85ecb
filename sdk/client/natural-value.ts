// Between the values that an app writes (42, 'text', new Date()) and the datastore's tagged ones.
import { type Entity, type Properties, type Value } from '../contract/entity.ts';
import { PlatformError } from '../contract/errors.ts';
import { isComplete, type Key, type PathElement } from '../contract/key.ts';
import { LIMITS } from '../contract/limits.ts';

/** A datastore key in an app's hands. Equal keys have equal `toString()`. */
export class DatastoreKey implements Key {
  readonly projectId: string;
  readonly databaseId: string;
  readonly namespace: string;
  readonly path: readonly PathElement[];

  constructor(path: readonly PathElement[], partition: { projectId?: string; databaseId?: string; namespace?: string } = {}) {
    this.projectId = partition.projectId ?? '';
    this.databaseId = partition.databaseId ?? '';
    this.namespace = partition.namespace ?? '';
    this.path = Object.freeze([...path]);
    Object.freeze(this);
  }

  static from(key: Key): DatastoreKey {
    return key instanceof DatastoreKey ? key : new DatastoreKey(key.path, key);
  }

  get kind(): string {
    return this.path.at(-1)?.kind ?? '';
  }

  /** Undefined for a key that has a name or is incomplete. */
  get id(): bigint | undefined {
    return this.path.at(-1)?.id;
  }

  /** Undefined for a key that has an id or is incomplete. */
  get name(): string | undefined {
    return this.path.at(-1)?.name;
  }

  get isComplete(): boolean {
    return isComplete(this);
  }

  get parent(): DatastoreKey | undefined {
    return this.path.length < 2 ? undefined : new DatastoreKey(this.path.slice(0, -1), this);
  }

  toString(): string {
    const path = this.path.map(({ kind, id, name }) => [kind, id === undefined ? (name ?? null) : { id: String(id) }]);
    return JSON.stringify([this.databaseId, this.namespace, ...path.flat()]);
  }
}

/** Stores a whole number as a double: `new Double(4)` is 4.0, which is not equal to the integer 4. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
    Object.freeze(this);
  }
}

export class GeoPoint {
  readonly latitude: number;
  readonly longitude: number;

  constructor(latitude: number, longitude: number) {
    this.latitude = latitude;
    this.longitude = longitude;
    Object.freeze(this);
  }
}

/** An entity as an app writes and reads it. */
export interface AppEntity {
  readonly key: DatastoreKey;
  /** Ordinary values; a property that is undefined is left out. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Names of properties without index rows: not for filters, but not bound to 1,500 bytes either. */
  readonly unindexed?: readonly string[];
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const MICROS_PER_MS = 1_000n;
/** Ends what holds itself; the exact limit is the encoder's. Each embedded entity may stand in a list, which counts here. */
const DEPTH_MAX = 2 * LIMITS.entityDepthMax + 1;

/**
 * Whole safe numbers and bigints become integers, other numbers doubles, Date a timestamp, Uint8Array a blob, arrays
 * lists, plain objects embedded entities. Throws DS_INVALID naming `name` for what has no place in the datastore, and
 * DS_LIMIT for objects in objects without end.
 */
export function valueFromNatural(natural: unknown, name: string, depth = 0): Value {
  switch (typeof natural) {
    case 'boolean':
      return { kind: 'boolean', value: natural };
    case 'string':
      return { kind: 'string', value: natural };
    case 'number':
      return Number.isSafeInteger(natural) ? { kind: 'integer', value: BigInt(natural) } : { kind: 'double', value: natural };
    case 'bigint':
      if (natural < INT64_MIN || natural > INT64_MAX) throw refuse(name, 'an integer beyond 64 bits');
      return { kind: 'integer', value: natural };
    case 'object':
      return natural === null ? { kind: 'null' } : valueFromObject(natural, name, depth);
    default:
      throw refuse(name, `a value of type ${typeof natural}`);
  }
}

function valueFromObject(natural: object, name: string, depth: number): Value {
  if (natural instanceof DatastoreKey) return { kind: 'key', value: natural };
  if (natural instanceof Double) return { kind: 'double', value: natural.value };
  if (natural instanceof GeoPoint) return { kind: 'geoPoint', latitude: natural.latitude, longitude: natural.longitude };
  if (natural instanceof Date) {
    const ms = natural.getTime();
    if (Number.isNaN(ms)) throw refuse(name, 'an invalid date');
    return { kind: 'timestamp', micros: BigInt(ms) * MICROS_PER_MS };
  }
  if (natural instanceof Uint8Array) return { kind: 'blob', value: natural };
  if (depth > DEPTH_MAX) throw new PlatformError('DS_LIMIT', `entities nest deeper than ${LIMITS.entityDepthMax}`);
  if (Array.isArray(natural)) {
    return { kind: 'array', values: natural.map((item, index) => valueFromNatural(item, `${name}[${index}]`, depth + 1)) };
  }
  const prototype: unknown = Object.getPrototypeOf(natural);
  if (prototype !== Object.prototype && prototype !== null) throw refuse(name, `an object of class ${natural.constructor.name}`);
  return { kind: 'entity', value: { properties: propertiesFromNatural(natural as Record<string, unknown>, [], `${name}.`, depth + 1) } };
}

export function propertiesFromNatural(
  natural: Readonly<Record<string, unknown>>,
  unindexed: readonly string[],
  prefix = '',
  depth = 0,
): Properties {
  const properties = Object.create(null) as Record<string, Value>;
  for (const [name, item] of Object.entries(natural)) {
    if (item === undefined) continue;
    const value = valueFromNatural(item, `${prefix}${name}`, depth);
    properties[name] = unindexed.includes(name) ? withoutIndex(value) : value;
  }
  return properties;
}

/** In an array the elements carry the mark, never the array itself (public API rule). */
function withoutIndex(value: Value): Value {
  if (value.kind === 'array') return { kind: 'array', values: value.values.map(withoutIndex) };
  return { ...value, excludeFromIndexes: true };
}

/** Safe integers become numbers, others bigints; timestamps lose what is finer than a millisecond. */
export function naturalFromValue(value: Value): unknown {
  switch (value.kind) {
    case 'null':
      return null;
    case 'boolean':
    case 'double':
    case 'string':
    case 'blob':
      return value.value;
    case 'integer':
      return BigInt(Number(value.value)) === value.value && Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value;
    case 'timestamp':
      return new Date(Number(value.micros / MICROS_PER_MS));
    case 'key':
      return DatastoreKey.from(value.value);
    case 'geoPoint':
      return new GeoPoint(value.latitude, value.longitude);
    case 'array':
      return value.values.map(naturalFromValue);
    case 'entity':
      return naturalFromProperties(value.value.properties);
  }
}

function naturalFromProperties(properties: Properties): Record<string, unknown> {
  const natural: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties)) {
    // A property may be called __proto__: define it, never assign it.
    Object.defineProperty(natural, name, { value: naturalFromValue(value), enumerable: true, writable: true, configurable: true });
  }
  return natural;
}

/** The entity with its `unindexed` names, so that writing back what was read keeps its indexing. */
export function appEntity(entity: Entity): AppEntity {
  const unindexed = Object.entries(entity.properties).filter(([, value]) => isUnindexed(value));
  return {
    key: DatastoreKey.from(entity.key),
    properties: naturalFromProperties(entity.properties),
    unindexed: unindexed.map(([name]) => name),
  };
}

function isUnindexed(value: Value): boolean {
  if (value.kind === 'array') return value.values.length > 0 && value.values.every(isUnindexed);
  return value.excludeFromIndexes === true;
}

function refuse(name: string, what: string): PlatformError {
  return new PlatformError('DS_INVALID', `property "${name}" holds ${what}`);
}
