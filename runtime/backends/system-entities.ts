// Entities of the system app, as adapters of services read and write them: whole batches, without natural values.
import { z } from 'zod';
import { type CommitRequest, queryToWire, type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { type Entity, type Properties } from '../../sdk/contract/entity.ts';
import { decodeEntity, decodeValue, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Filter, type Query } from '../../sdk/contract/query.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE, SYSTEM_APP_ID } from '../control/datastore-control-store.ts';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const found = z.object({ entity: bytes });
const batch = z.object({
  results: z.array(found),
  endCursor: bytes,
  more: z.enum(['not-finished', 'after-limit', 'after-cursor', 'no-more']),
});
const lookedUp = z.object({ found: z.array(found), deferred: z.array(bytes) });
const aggregated = z.object({ values: z.array(z.object({ value: bytes })) });

export interface KindQuery {
  readonly kind: string;
  /** Half-open, on a property with string values; results come in its order. */
  readonly range?: { readonly property: string; readonly after: string; readonly before: string };
  /** Whether index rows are enough: then an entity has its key and the property of `range` only. */
  readonly projected?: boolean;
  readonly limit?: number;
}

export class SystemEntities {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** `idempotent`: whether it may be made again when its outcome is unknown. Throws what the datastore's commit throws. */
  async commit(mutations: readonly WireMutation[], options: { readonly idempotent: boolean }): Promise<void> {
    const request: CommitRequest = { mutations };
    await this.#call('commit', request, options);
  }

  async lookup(keys: readonly Key[]): Promise<Entity[]> {
    const entities: Entity[] = [];
    let wanted: readonly Uint8Array[] = keys.map(encodeKey);
    while (wanted.length > 0) {
      const answer = lookedUp.parse(await this.#call('lookup', { keys: wanted.slice(0, LIMITS.lookupKeysMax) }, { idempotent: true }));
      entities.push(...answer.found.map(({ entity }) => decodeEntity(entity)));
      wanted = [...answer.deferred, ...wanted.slice(LIMITS.lookupKeysMax)];
    }
    return entities;
  }

  async query(kindQuery: KindQuery): Promise<Entity[]> {
    const entities: Entity[] = [];
    let query = queryOf(kindQuery);
    for (;;) {
      const answer = batch.parse(await this.#call('runQuery', { query: queryToWire(query) }, { idempotent: true }));
      entities.push(...answer.results.map(({ entity }) => decodeEntity(entity)));
      if (answer.more !== 'not-finished') return entities;
      const left = kindQuery.limit === undefined ? {} : { limit: kindQuery.limit - entities.length };
      query = { ...query, startCursor: answer.endCursor, ...left };
    }
  }

  async count(kindQuery: KindQuery): Promise<number> {
    const query = { nested: queryToWire(queryOf(kindQuery)), aggregations: [{ kind: 'count', alias: 'count' }] };
    const { values } = aggregated.parse(await this.#call('runAggregation', { query }, { idempotent: true }));
    const value = values[0] && decodeValue(values[0].value);
    return value?.kind === 'integer' ? Number(value.value) : 0;
  }

  #call(method: string, payload: object, options: { readonly idempotent: boolean }): Promise<unknown> {
    return this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, { appId: SYSTEM_APP_ID, ...payload }, options);
  }
}

export function systemKey(kind: string, name: string): Key {
  return { projectId: '', databaseId: '', namespace: '', path: [{ kind, name }] };
}

export function writing(op: 'insert' | 'update' | 'upsert', key: Key, properties: Properties): WireMutation {
  return { op, entity: encodeEntity({ key, properties }) };
}

export function deleting(key: Key): WireMutation {
  return { op: 'delete', key: encodeKey(key) };
}

/** Throws DS_CORRUPT when it is not there or no string. */
export function stringOf({ properties, key }: Entity, name: string): string {
  const value = properties[name];
  if (value?.kind === 'string') return value.value;
  throw new PlatformError('DS_CORRUPT', `an entity of kind ${key.path.at(-1)?.kind ?? ''} without "${name}"`);
}

/** Throws DS_CORRUPT when it is not there or no blob. */
export function blobOf({ properties, key }: Entity, name: string): Uint8Array {
  const value = properties[name];
  if (value?.kind === 'blob') return value.value;
  throw new PlatformError('DS_CORRUPT', `an entity of kind ${key.path.at(-1)?.kind ?? ''} without "${name}"`);
}

function queryOf({ kind, range, projected, limit }: KindQuery): Query {
  const filters = range
    ? [
        { kind: 'property', property: range.property, operator: '>', value: { kind: 'string', value: range.after } } as const,
        { kind: 'property', property: range.property, operator: '<', value: { kind: 'string', value: range.before } } as const,
      ]
    : [];
  const filter: Filter | undefined = range && { kind: 'and', filters };
  return {
    databaseId: '',
    namespace: '',
    entityKind: kind,
    orders: range ? [{ property: range.property, direction: 'asc' }] : [],
    offset: 0,
    ...(filter ? { filter } : {}),
    ...(projected && range ? { projection: [range.property] } : {}),
    ...(limit === undefined ? {} : { limit }),
  };
}
