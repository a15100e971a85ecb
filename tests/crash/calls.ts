// The datastore's calls as the crash tests make them, over a connection that ends with the process at its other end.
import {
  type CommitResponse,
  queryToWire,
  type RunAggregationResponse,
  type RunQueryResponse,
  type StoredEntity,
  type WireMutation,
} from '../../sdk/contract/datastore-wire.ts';
import { type LookupResponse } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, decodeKey, decodeValue, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Entity, type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type AggregationFunction, type Query } from '../../sdk/contract/query.ts';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { APP } from '../../datastore/fixture.ts';

export interface Found {
  readonly entity: Entity;
  readonly version: bigint;
}

export interface IndexState {
  readonly id: number;
  readonly definition: IndexDefinition;
  readonly state: string;
}

/** Whether a failed call may have had its effect: the connection broke or the store failed, so nobody can tell. */
export function isUnknown(error: unknown): boolean {
  return error instanceof PlatformError && ['RPC_CONNECTION_LOST', 'RPC_UNAVAILABLE', 'DS_CLOSED'].includes(error.code);
}

/** Whether the datastore refused for the sake of other transactions: then it had no effect. */
export function isConflict(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'DS_TX_CONFLICT';
}

export class Calls {
  readonly #rpc: RpcClient;

  constructor(socket: string) {
    this.#rpc = new RpcClient(socket, systemClock, systemTimers);
  }

  async begin(options: { readonly readOnly?: boolean } = {}): Promise<Uint8Array> {
    const { transaction } = (await this.#call('beginTransaction', options)) as { readonly transaction: Uint8Array };
    return transaction;
  }

  async commit(mutations: readonly WireMutation[], transaction?: Uint8Array): Promise<CommitResponse> {
    return (await this.#call('commit', { mutations, ...(transaction ? { transaction } : {}) })) as CommitResponse;
  }

  async rollback(transaction: Uint8Array): Promise<void> {
    await this.#call('rollback', { transaction });
  }

  /** In the order of `keys`; undefined for what is not there. */
  async lookup(keys: readonly Key[], transaction?: Uint8Array): Promise<readonly (Found | undefined)[]> {
    const found = new Map<string, Found>();
    for (let wanted: readonly Uint8Array[] = keys.map(encodeKey); wanted.length > 0;) {
      const answer = (await this.#call('lookup', { keys: wanted, ...(transaction ? { transaction } : {}) })) as LookupResponse;
      for (const stored of answer.found) {
        const one = decode(stored);
        found.set(nameOf(one.entity.key), one);
      }
      wanted = answer.deferred;
    }
    return keys.map((key) => found.get(nameOf(key)));
  }

  /** All results, batch after batch. */
  async query(query: Query, transaction?: Uint8Array): Promise<readonly Found[]> {
    const all: Found[] = [];
    for (let next = query; ;) {
      const answer = (await this.#call('runQuery', {
        query: queryToWire(next),
        ...(transaction ? { transaction } : {}),
      })) as RunQueryResponse;
      all.push(...answer.results.map(decode));
      if (answer.more !== 'not-finished') return all;
      next = { ...next, startCursor: answer.endCursor, offset: Math.max(0, next.offset - answer.skipped) };
    }
  }

  async aggregate(nested: Query, aggregation: AggregationFunction, transaction?: Uint8Array): Promise<Value> {
    const query = { nested: queryToWire(nested), aggregations: [{ ...aggregation, alias: 'value' }] };
    const { values } = (await this.#call('runAggregation', { query, ...(transaction ? { transaction } : {}) })) as RunAggregationResponse;
    return decodeValue(values[0]!.value);
  }

  async allocateIds(key: Key, count: number): Promise<readonly bigint[]> {
    const incomplete = encodeKey(key);
    const { keys } = (await this.#call('allocateIds', { keys: Array.from({ length: count }, () => incomplete) })) as {
      readonly keys: readonly Uint8Array[];
    };
    return keys.map((bytes) => decodeKey(bytes).path.at(-1)?.id ?? 0n);
  }

  async ensureIndexes(definitions: readonly IndexDefinition[]): Promise<void> {
    await this.#call('ensureIndexes', { definitions });
  }

  async listIndexes(): Promise<readonly IndexState[]> {
    const { indexes } = (await this.#call('listIndexes', {})) as { readonly indexes: readonly IndexState[] };
    return indexes;
  }

  async deleteIndex(id: number): Promise<void> {
    await this.#call('deleteIndex', { id });
  }

  /** What the check of everything on disk reports. */
  async check(): Promise<{ readonly rows: number; readonly findings: readonly unknown[] }> {
    const findings: unknown[] = [];
    let rows = 0;
    for (let from: Uint8Array | undefined, isDone = false; !isDone;) {
      const step = (await this.#rpc.call('datastore-admin', 'checkStep', from ? { from } : {})) as {
        readonly rows: number;
        readonly findings: readonly unknown[];
        readonly next?: Uint8Array;
      };
      findings.push(...step.findings);
      rows += step.rows;
      from = step.next;
      isDone = step.next === undefined;
    }
    return { rows, findings };
  }

  async tablets(): Promise<number> {
    const { tablets } = (await this.#call('tablets', {})) as { readonly tablets: readonly unknown[] };
    return tablets.length;
  }

  close(): void {
    this.#rpc.close();
  }

  #call(method: string, payload: object): Promise<unknown> {
    return this.#rpc.call('datastore-admin', method, { ...APP, ...payload });
  }
}

/** A name for a key. */
export function nameOf({ path }: Key): string {
  return path.map(({ kind, id, name }) => `${kind}:${name ?? String(id)}`).join('/');
}

function decode({ entity, version }: StoredEntity): Found {
  return { entity: decodeEntity(entity), version };
}
