// An entity while somebody edits it: every value as the text that was typed, so that nothing is lost on the way (integers of
// 64 bits, NaN, microseconds), and read back only once all of it makes sense.
import { type JsonKey, type JsonValue } from '../../../sdk/contract/admin/data.ts';
import { keyText, pathOf } from './key-text.ts';

export const VALUE_TYPES = [
  'string',
  'integer',
  'double',
  'boolean',
  'timestamp',
  'key',
  'geoPoint',
  'blob',
  'array',
  'entity',
  'null',
] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

export interface ValueDraft {
  readonly type: ValueType;
  /** Of every type that is written in one field; a place is written `latitude, longitude`. */
  readonly text: string;
  readonly flag: boolean;
  readonly items: readonly ListedDraft[];
  readonly properties: readonly PropertyDraft[];
  readonly isIndexed: boolean;
  /** Passed through untouched. */
  readonly meaning?: number;
  readonly partitionId?: JsonKey['partitionId'];
  readonly embeddedKey?: JsonKey;
}

export interface ListedDraft {
  /** Tells the rows of a form apart while they move. */
  readonly row: number;
  readonly value: ValueDraft;
}

export interface PropertyDraft extends ListedDraft {
  readonly name: string;
}

let rows = 0;
export const newRow = (): number => (rows += 1);

export function emptyDraft(type: ValueType = 'string'): ValueDraft {
  return { type, text: '', flag: false, items: [], properties: [], isIndexed: true };
}

const draftOf = (type: ValueType, parts: Partial<ValueDraft>): ValueDraft => ({ ...emptyDraft(type), ...parts });

function contentDraft(value: JsonValue): ValueDraft {
  if (value.stringValue !== undefined) return draftOf('string', { text: value.stringValue });
  if (value.integerValue !== undefined) return draftOf('integer', { text: value.integerValue });
  if (value.doubleValue !== undefined) return draftOf('double', { text: String(value.doubleValue) });
  if (value.booleanValue !== undefined) return draftOf('boolean', { flag: value.booleanValue });
  if (value.timestampValue !== undefined) return draftOf('timestamp', { text: value.timestampValue });
  if (value.keyValue !== undefined) return draftOf('key', { text: keyText(value.keyValue), partitionId: value.keyValue.partitionId });
  if (value.geoPointValue !== undefined)
    return draftOf('geoPoint', { text: `${value.geoPointValue.latitude}, ${value.geoPointValue.longitude}` });
  if (value.blobValue !== undefined) return draftOf('blob', { text: value.blobValue });
  if (value.arrayValue !== undefined)
    return draftOf('array', { items: value.arrayValue.values.map((item) => ({ row: newRow(), value: valueDraft(item) })) });
  if (value.entityValue !== undefined)
    return draftOf('entity', { properties: propertyDrafts(value.entityValue.properties), embeddedKey: value.entityValue.key });
  return emptyDraft('null');
}

export function valueDraft(value: JsonValue): ValueDraft {
  return {
    ...contentDraft(value),
    isIndexed: value.excludeFromIndexes !== true,
    ...(value.meaning === undefined ? {} : { meaning: value.meaning }),
  };
}

export function propertyDrafts(properties: Readonly<Record<string, JsonValue>>): PropertyDraft[] {
  return Object.entries(properties).map(([name, value]) => ({ row: newRow(), name, value: valueDraft(value) }));
}

const INTEGER_MAX = 2n ** 63n;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const DOUBLE = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NOT_NUMBERS: readonly string[] = ['NaN', 'Infinity', '-Infinity'];

function placeOf(text: string): { readonly latitude: number; readonly longitude: number } | undefined {
  const [latitude, longitude, ...more] = text.split(',').map((part) => (DOUBLE.test(part.trim()) ? Number(part) : NaN));
  if (latitude === undefined || longitude === undefined || more.length > 0) return undefined;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

/** What is wrong with a value by itself, not with what stands inside it; undefined when nothing is. */
export function problemOf({ type, text, items }: ValueDraft): string | undefined {
  switch (type) {
    case 'integer': {
      if (!/^[+-]?\d{1,19}$/.test(text.trim())) return 'Want a whole number';
      const value = BigInt(text.trim().replace(/^\+/, ''));
      return value >= -INTEGER_MAX && value < INTEGER_MAX ? undefined : 'Want a number of 64 bits';
    }
    case 'double':
      return NOT_NUMBERS.includes(text.trim()) || DOUBLE.test(text.trim()) ? undefined : 'Want a number, NaN, Infinity or -Infinity';
    case 'timestamp':
      return TIMESTAMP.test(text.trim()) && !Number.isNaN(Date.parse(text.trim()))
        ? undefined
        : 'Want a time such as 2026-11-26T09:30:00.123456Z';
    case 'key': {
      const last = pathOf(text)?.at(-1);
      return last !== undefined && (last.id ?? last.name) !== undefined ? undefined : 'Want a key such as Guestbook:"main" / Greeting:5';
    }
    case 'geoPoint':
      return placeOf(text) === undefined ? 'Want latitude, longitude such as 47.37, 8.54' : undefined;
    case 'blob':
      return /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.trim()) ? undefined : 'Want base64';
    case 'array':
      return items.some(({ value }) => value.type === 'array') ? 'A list cannot hold a list' : undefined;
    case 'string':
    case 'boolean':
    case 'entity':
    case 'null':
      return undefined;
  }
}

/** What is wrong with the names of properties that stand side by side. */
export function nameProblem(name: string, all: readonly PropertyDraft[]): string | undefined {
  if (name === '') return 'Want a name';
  if (/^__.*__$/.test(name)) return 'Such names are reserved';
  return all.filter((each) => each.name === name).length > 1 ? 'This name stands twice' : undefined;
}

/** Whether every value, also inside lists and entities, can be stored. */
export function isSound(properties: readonly PropertyDraft[]): boolean {
  const isSoundValue = (value: ValueDraft): boolean =>
    problemOf(value) === undefined &&
    (value.type !== 'array' || value.items.every((item) => isSoundValue(item.value))) &&
    (value.type !== 'entity' || isSound(value.properties));
  return properties.every(({ name, value }) => nameProblem(name, properties) === undefined && isSoundValue(value));
}

/** JSON has no words for what is no number, and what is too large becomes infinite. */
function doubleOf(word: string): NonNullable<JsonValue['doubleValue']> {
  const value = Number(word);
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return value;
  return value > 0 ? 'Infinity' : '-Infinity';
}

function contentOf({ type, text, flag, items, properties, partitionId, embeddedKey }: ValueDraft): JsonValue {
  const word = text.trim();
  switch (type) {
    case 'string':
      return { stringValue: text };
    case 'integer':
      return { integerValue: String(BigInt(word.replace(/^\+/, ''))) };
    case 'double':
      return { doubleValue: doubleOf(word) };
    case 'boolean':
      return { booleanValue: flag };
    case 'timestamp':
      return { timestampValue: word };
    case 'key':
      return { keyValue: { ...(partitionId === undefined ? {} : { partitionId }), path: pathOf(text) ?? [] } };
    case 'geoPoint':
      return { geoPointValue: placeOf(text) ?? { latitude: 0, longitude: 0 } };
    case 'blob':
      return { blobValue: word };
    case 'array':
      return { arrayValue: { values: items.map(({ value }) => valueOf(value)) } };
    case 'entity':
      return { entityValue: { ...(embeddedKey === undefined ? {} : { key: embeddedKey }), properties: propertiesOf(properties) } };
    case 'null':
      return { nullValue: null };
  }
}

/** The value of a draft without problems. */
export function valueOf(draft: ValueDraft): JsonValue {
  return {
    ...contentOf(draft),
    ...(draft.isIndexed ? {} : { excludeFromIndexes: true }),
    ...(draft.meaning === undefined ? {} : { meaning: draft.meaning }),
  };
}

export function propertiesOf(drafts: readonly PropertyDraft[]): Record<string, JsonValue> {
  return Object.fromEntries(drafts.map(({ name, value }) => [name, valueOf(value)]));
}
