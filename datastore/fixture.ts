// A datastore over memory for tests, and short ways to say what they write and read.
import { parse } from 'yaml';
import { type WireMutation } from '../sdk/contract/datastore-wire.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Entity, type Properties, type Value } from '../sdk/contract/entity.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { type Key, type PathElement } from '../sdk/contract/key.ts';
import { type Filter, type PropertyOperator, type Query } from '../sdk/contract/query.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../sdk/support/virtual-time.ts';
import { Datastore, type DatastoreOptions } from './datastore.ts';
import { type QueryAnswer } from './read-answer.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { type Store } from './storage/port.ts';

export const APP = { appId: 'guestbook' };

export interface OpenDatastore {
  readonly datastore: Datastore;
  readonly store: Store;
  readonly time: VirtualTime;
  readonly log: MemoryLog;
}

/** A started datastore in virtual time. */
export async function openDatastore(
  options: { readonly store?: Store; readonly time?: VirtualTime } & DatastoreOptions = {},
): Promise<OpenDatastore> {
  const { store = new MemoryStore(), time = new VirtualTime(1_700_000_000_000), ...rest } = options;
  const log = new MemoryLog();
  const datastore = new Datastore(store, time, time, new SeededRandom(1), log, rest);
  await datastore.start();
  return { datastore, store, time, log };
}

/** `key('Guestbook', 'main', 'Greeting', 5n)`; a trailing kind alone makes an incomplete key. */
export function key(...parts: readonly (string | bigint)[]): Key {
  const path: PathElement[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [kind, identifier] = [String(parts[at]), parts[at + 1]];
    path.push(identifier === undefined ? { kind } : typeof identifier === 'bigint' ? { kind, id: identifier } : { kind, name: identifier });
  }
  return { projectId: '', databaseId: '', namespace: '', path };
}

export type Plain = string | number | bigint | boolean | null | Date | Key | readonly Plain[];

/** Integers are bigint, doubles number. */
export function value(plain: Plain): Value {
  if (plain === null) return { kind: 'null' };
  if (typeof plain === 'string') return { kind: 'string', value: plain };
  if (typeof plain === 'bigint') return { kind: 'integer', value: plain };
  if (typeof plain === 'number') return { kind: 'double', value: plain };
  if (typeof plain === 'boolean') return { kind: 'boolean', value: plain };
  if (plain instanceof Date) return { kind: 'timestamp', micros: BigInt(plain.getTime()) * 1_000n };
  if ('path' in plain) return { kind: 'key', value: plain };
  return { kind: 'array', values: plain.map(value) };
}

export function properties(plain: Readonly<Record<string, Plain>>): Properties {
  return Object.fromEntries(Object.entries(plain).map(([name, one]) => [name, value(one)]));
}

export function write(op: 'insert' | 'update' | 'upsert', at: Key, plain: Readonly<Record<string, Plain>>): WireMutation {
  return { op, entity: encodeEntity({ key: at, properties: properties(plain) }) };
}

export function remove(at: Key): WireMutation {
  return { op: 'delete', key: encodeKey(at) };
}

export async function get(datastore: Datastore, at: Key, transaction?: Uint8Array, scope = APP): Promise<Entity | undefined> {
  const { found } = await datastore.lookup(scope, [encodeKey(at)], transaction ? { transaction } : {});
  return found[0] && decodeEntity(found[0].entity);
}

export function where(property: string, operator: PropertyOperator, plain: Plain): Filter {
  return { kind: 'property', property, operator, value: value(plain) };
}

export function and(...filters: readonly Filter[]): Filter {
  return { kind: 'and', filters };
}

export function query(entityKind: string | undefined, rest: Partial<Omit<Query, 'entityKind'>> = {}): Query {
  return { databaseId: '', namespace: '', orders: [], offset: 0, ...(entityKind === undefined ? {} : { entityKind }), ...rest };
}

export function namesOf(answer: Pick<QueryAnswer, 'results'>): readonly string[] {
  return answer.results.map(({ entity }) => {
    const last = decodeEntity(entity).key.path.at(-1);
    return last?.name ?? String(last?.id);
  });
}

/** Runs `action`; makes the indexes that it asks for and runs it again. */
export async function withIndexes<T>(datastore: Datastore, action: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'DS_NEED_INDEX' || attempt > 3) throw error;
      await datastore.ensureIndexes(APP, definitionsIn(String(error.details.indexYaml)));
      await datastore.indexesBuilt();
    }
  }
}

interface YamlIndex {
  readonly kind: string;
  readonly ancestor?: string;
  readonly properties: readonly { readonly name: string; readonly direction?: 'asc' | 'desc' }[];
}

/** The definitions that lines of index.yaml declare. */
export function definitionsIn(lines: string): readonly IndexDefinition[] {
  return (parse(lines) as readonly YamlIndex[]).map(({ kind, ancestor, properties: columns }) => ({
    kind,
    ancestor: ancestor === 'yes',
    properties: columns.map(({ name, direction = 'asc' }) => ({ name, direction })),
  }));
}
