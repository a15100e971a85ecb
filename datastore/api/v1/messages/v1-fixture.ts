// A client of the v1 service for tests that is not ours: requests and answers by protobufjs, over the published messages.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import { ERRORS, PlatformError } from '../../../../sdk/contract/errors.ts';
import { type V1Caller, type V1Method, type V1Service } from '../port.ts';

export const PROJECT = 'guestbook';

/** The published messages, whose names are in camel case as Google's own clients have them. */
export const PUBLISHED = protobuf.Root.fromJSON(
  JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('@google-cloud/datastore/build/protos/protos.json'), 'utf8'),
  ) as protobuf.INamespace,
).resolveAll();

export function messageType(name: string): protobuf.Type {
  return PUBLISHED.lookupType(`google.datastore.v1.${name}`);
}

/** A message as plain data. */
export type Plain = Readonly<Record<string, unknown>>;

/** 64-bit numbers may be strings. Throws for what is no such message, so that no test tests something else. */
export function encode(type: protobuf.Type, plain: Plain): Buffer {
  return Buffer.from(type.encode(type.fromObject(plain)).finish());
}

/** 64-bit numbers and enums as strings, bytes as base64. */
export function decode(type: protobuf.Type, bytes: Uint8Array): Plain {
  return type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: String });
}

export const CALLER: V1Caller = { appOf: (projectId) => projectId, signal: new AbortController().signal };

export class V1Client {
  readonly #service: V1Service;
  readonly #caller: V1Caller;

  constructor(service: V1Service, caller: V1Caller = CALLER) {
    this.#service = service;
    this.#caller = caller;
  }

  /** `request` without its project; answers what the service answers. */
  async call<T = Plain>(method: V1Method, request: Plain): Promise<T> {
    const bytes = encode(messageType(`${method}Request`), { projectId: PROJECT, ...request });
    return decode(messageType(`${method}Response`), await this.#service.call(method, bytes, this.#caller)) as T;
  }

  /** The bytes as they are. */
  send(method: V1Method, request: Buffer): Promise<Buffer> {
    return this.#service.call(method, request, this.#caller);
  }

  /** How the service refuses `request`: the canonical code, and what PlatformError says after its row's message. */
  async refusal(method: V1Method, request: Plain): Promise<string> {
    return refusalOf(this.call(method, request));
  }
}

export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return `${ERRORS[error.code].grpc} ${error.message}`;
  }
  throw new Error('it was not refused');
}

/** `keyOf('Task', 'a', 'Step', 5)`; a trailing kind alone makes an incomplete key. */
export function keyOf(...parts: readonly (string | number)[]): Plain {
  const path: Plain[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [kind, identifier] = [parts[at], parts[at + 1]];
    path.push({ kind, ...(identifier === undefined ? {} : typeof identifier === 'number' ? { id: identifier } : { name: identifier }) });
  }
  return { path };
}

/** An entity of integers and strings. */
export function entityOf(key: Plain, properties: Readonly<Record<string, number | string>> = {}): Plain {
  return { key, properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, valueOf(value)])) };
}

export function valueOf(value: number | string): Plain {
  return typeof value === 'number' ? { integerValue: value } : { stringValue: value };
}
