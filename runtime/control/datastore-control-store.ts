// Control records as entities of the system app, so that they share the datastore's durability, backup and console.
import { z } from 'zod';
import { type CommitRequest, type RunQueryRequest, type WireMutation, type WireQuery } from '../../sdk/contract/datastore-wire.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { decodeRecord, encodeRecord } from './control-record.ts';
import { type ControlChange, type ControlRecord, type ControlStore, recordName } from './control-store.ts';

/** No app can have this id: app ids begin with a letter. */
export const SYSTEM_APP_ID = '~system';
export const DATASTORE_ADMIN_SERVICE = 'datastore-admin';

const KINDS = {
  app: 'App',
  version: 'Version',
  traffic: 'Traffic',
  queues: 'Queues',
  cron: 'Cron',
  dispatch: 'Dispatch',
  'datastore-token': 'DatastoreToken',
} as const satisfies Record<ControlRecord['kind'], string>;
const RECORD = 'record';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const batch = z.object({
  results: z.array(z.object({ entity: bytes })),
  endCursor: bytes,
  more: z.enum(['not-finished', 'after-limit', 'after-cursor', 'no-more']),
});

/** Through the service `datastore-admin`, which takes the app's id beside each request. */
export class DatastoreControlStore implements ControlStore {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async load(): Promise<readonly ControlRecord[]> {
    const records: ControlRecord[] = [];
    for (const kind of Object.values(KINDS)) {
      for await (const entity of this.#entitiesOf(kind)) records.push(recordOf(entity));
    }
    return records;
  }

  async commit(changes: readonly ControlChange[]): Promise<void> {
    if (changes.length === 0) return;
    const request: CommitRequest = { mutations: changes.map(mutationOf) };
    await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'commit', { appId: SYSTEM_APP_ID, ...request });
  }

  async *#entitiesOf(kind: string): AsyncIterable<Entity> {
    let query: WireQuery = { databaseId: '', namespace: '', entityKind: kind, orders: [], offset: 0 };
    for (;;) {
      const request: RunQueryRequest = { query };
      const payload = await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'runQuery', { appId: SYSTEM_APP_ID, ...request }, { idempotent: true });
      const { results, endCursor, more } = batch.parse(payload);
      for (const { entity } of results) yield decodeEntity(entity);
      if (more !== 'not-finished') return;
      query = { ...query, startCursor: endCursor };
    }
  }
}

/** Of the record of that kind and `recordName`. */
export function controlKey(kind: ControlRecord['kind'], name: string): Key {
  return { projectId: '', databaseId: '', namespace: '', path: [{ kind: KINDS[kind], name }] };
}

function mutationOf({ op, record }: ControlChange): WireMutation {
  const key = controlKey(record.kind, recordName(record));
  if (op === 'delete') return { op, key: encodeKey(key) };
  const entity = encodeEntity({
    key,
    properties: {
      app: { kind: 'string', value: record.appId },
      [RECORD]: { kind: 'blob', value: encodeRecord(record), excludeFromIndexes: true },
    },
  });
  return { op: op === 'put' ? 'upsert' : 'insert', entity };
}

/** Throws DS_CORRUPT. */
export function recordOf(entity: Entity): ControlRecord {
  const value = entity.properties[RECORD];
  if (value?.kind !== 'blob') throw new PlatformError('DS_CORRUPT', 'a control record without its content');
  return decodeRecord(value.value);
}
