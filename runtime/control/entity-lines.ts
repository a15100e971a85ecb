// Entities as lines of an export, and back.
import { type EntityLine } from '../../sdk/contract/admin/transfer.ts';
import { keyFromJson, keyToJson, propertiesFromJson, propertiesToJson } from '../../sdk/contract/entity-json.ts';
import { decodeEntity, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { isComplete, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { formatTimestamp } from '../../sdk/contract/timestamp-text.ts';

/** Small ones arrive as numbers. */
export type WireInt = bigint | number;

/** An entity of a page of the datastore's. */
export interface PagedEntity {
  readonly entity: Uint8Array;
  readonly version: WireInt;
  readonly createdMicros: WireInt;
  readonly updatedMicros: WireInt;
}

export function entityLine({ entity, version, createdMicros, updatedMicros }: PagedEntity): EntityLine {
  const { key, properties } = decodeEntity(entity);
  return {
    entity: { key: keyToJson(key), properties: propertiesToJson(properties) },
    version: String(version),
    createTime: formatTimestamp(BigInt(createdMicros)),
    updateTime: formatTimestamp(BigInt(updatedMicros)),
  };
}

/**
 * The Entity message of a line, its keys of `fromApp` made keys of `appId`. Throws DS_INVALID naming what does not fit, DS_LIMIT.
 */
export function entityFromLine(line: Buffer, appId: string, fromApp: string | undefined): Buffer {
  if (line.length > LIMITS.importLineBytesMax) throw new PlatformError('DS_LIMIT', `a line has at most ${LIMITS.importLineBytesMax} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    throw new PlatformError('DS_INVALID', 'it is not JSON', { cause });
  }
  const entity = typeof json === 'object' && json !== null && 'entity' in json ? json.entity : undefined;
  if (typeof entity !== 'object' || entity === null || !('key' in entity))
    throw new PlatformError('DS_INVALID', 'want an object with "entity", and in it "key" and "properties"');
  const move = (key: Key): Key => (fromApp !== undefined && key.projectId === fromApp ? { ...key, projectId: appId } : key);
  const key = move(keyFromJson(entity.key, 'entity.key'));
  if (!isComplete(key)) throw new PlatformError('DS_INVALID', 'entity.key: want an id or a name in its last element');
  const properties = propertiesFromJson('properties' in entity ? entity.properties : {}, 'entity.properties');
  return encodeEntity({ key, properties: movedProperties(properties, move) });
}

function movedProperties(properties: Properties, move: (key: Key) => Key): Properties {
  const moved = Object.create(null) as Record<string, Value>;
  for (const [name, value] of Object.entries(properties)) moved[name] = movedValue(value, move);
  return moved;
}

function movedValue(value: Value, move: (key: Key) => Key): Value {
  switch (value.kind) {
    case 'key':
      return { ...value, value: move(value.value) };
    case 'array':
      return { ...value, values: value.values.map((item) => movedValue(item, move)) };
    case 'entity': {
      const { key, properties } = value.value;
      return { ...value, value: { ...(key ? { key: move(key) } : {}), properties: movedProperties(properties, move) } };
    }
    default:
      return value;
  }
}
