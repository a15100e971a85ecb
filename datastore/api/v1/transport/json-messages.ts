// The API's messages from and to JSON (the proto3 mapping), by protobuf-es and the schema. It loads both, so it is itself loaded when
// the first request in JSON comes.
// Read next: http-front.ts, which calls it; compile-schema.mjs, where the schema comes from.
import { isUtf8 } from 'node:buffer';
import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type V1Method } from '../port.ts';
import { SCHEMA } from './schema.generated.ts';

const PACKAGE = 'google.datastore.v1';
/** Finding the place of a mistake reads parts of a request again, once for each level. */
const SOUGHT_CHARACTERS_MAX = 256 * 1024;
const SOUGHT_DEPTH_MAX = 64;

/** Underlines may be written as escapes. */
const MAY_NAME_PROTOTYPE = /__proto__|\\u005f/i;

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(SCHEMA, 'base64')));

/** The request's bytes. The project is the URL's, whatever the body says. Throws INVALID_ARGUMENT with the field's path. */
export function requestOfJson(method: V1Method, bytes: Buffer, projectId: string): Buffer {
  if (!isUtf8(bytes)) throw refusal('the body', 'it is not UTF-8');
  const schema = schemaOf(`${method}Request`);
  const text = bytes.toString();
  const json = text.trim() === '' ? {} : parsed(text);
  if (!isObject(json)) throw refusal('the body', 'want an object');
  const named: JsonObject = { ...json, projectId };
  delete named['project_id'];
  try {
    return Buffer.from(toBinary(schema, fromJson(schema, named, { ignoreUnknownFields: false, registry })));
  } catch (cause) {
    const found = text.length <= SOUGHT_CHARACTERS_MAX ? mistakeIn(schema, named, 0) : undefined;
    throw refusal(found?.path ?? 'the body', found?.reason ?? reasonOf(cause), cause);
  }
}

export function jsonOfAnswer(method: V1Method, answer: Buffer, { enumAsInteger }: { readonly enumAsInteger: boolean }): string {
  const schema = schemaOf(`${method}Response`);
  return JSON.stringify(toJson(schema, fromBinary(schema, answer), { enumAsInteger, registry }));
}

function schemaOf(name: string): DescMessage {
  const schema = registry.getMessage(`${PACKAGE}.${name}`);
  if (!schema) throw new Error(`The schema has no ${name}`);
  return schema;
}

function parsed(text: string): JsonValue {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw refusal('the body', 'it is no JSON', cause);
  }
  if (MAY_NAME_PROTOTYPE.test(text)) refusePrototype(json);
  return json;
}

/** The library would lose a member of this name. It can only be a reserved one: of a property, or of no field at all. */
function refusePrototype(json: JsonValue): void {
  const open: JsonValue[] = [json];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) throw refusal('__proto__', 'the name is reserved');
    // Not by spreading: an array may be longer than a call's arguments.
    for (const part of Object.values(value)) open.push(part);
  }
}

function refusal(path: string, reason: string, cause?: unknown): PlatformError {
  return new PlatformError('INVALID_ARGUMENT', `${path}: ${reason}`, { details: { field: path }, cause });
}

interface Mistake {
  readonly path: string;
  readonly reason: string;
}

/** Where in a message that cannot be read the mistake is, as deep as it can be told. */
function mistakeIn(schema: DescMessage, json: JsonValue, depth: number): Mistake | undefined {
  if (!isObject(json) || depth > SOUGHT_DEPTH_MAX) return undefined;
  for (const [name, value] of Object.entries(json)) {
    const field = schema.fields.find((each) => each.name === name || each.jsonName === name);
    if (!field) return { path: name, reason: `${schema.name} has no such field` };
    const reason = whyNot(schema, { [name]: value });
    if (reason === undefined) continue;
    const inside = mistakeInside(field, value, depth);
    return inside ? { path: `${name}${inside.path}`, reason: inside.reason } : { path: name, reason };
  }
  return undefined;
}

/** With the path from the field on: `.a`, `[0].a` or `.key.a`. */
function mistakeInside(field: DescField, value: JsonValue, depth: number): Mistake | undefined {
  const message = field.message;
  if (!message || value === null || typeof value !== 'object') return undefined;
  const parts =
    field.fieldKind === 'message'
      ? [['', value] as const]
      : Object.entries(value as JsonObject).map(([key, part]) => [Array.isArray(value) ? `[${key}]` : `.${key}`, part] as const);
  for (const [path, part] of parts) {
    const reason = whyNot(message, part);
    if (reason === undefined) continue;
    const inside = mistakeIn(message, part, depth + 1);
    return inside ? { path: `${path}.${inside.path}`, reason: inside.reason } : { path, reason };
  }
  return undefined;
}

function whyNot(schema: DescMessage, json: JsonValue): string | undefined {
  if (json === null) return 'must not be null';
  if (!isObject(json) && schema.typeName.startsWith(PACKAGE)) return `want an object, got ${typeof json}`;
  try {
    fromJson(schema, json, { ignoreUnknownFields: false, registry });
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The library's text without what it says of messages and fields by their full names. */
function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'nested too deeply';
  const text = error instanceof Error ? error.message : String(error);
  const [, kind, reason = text] = /^cannot decode (field|message|enum|oneof) [\w.]+ from JSON: (.*)$/s.exec(text) ?? [];
  return `${reason.slice(0, 200)}${kind === 'enum' ? ' is none of its values' : ''}`;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
