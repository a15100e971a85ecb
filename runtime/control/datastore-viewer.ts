// The datastore as the console and the command line see it: DatastoreApi over the service `datastore-admin`.
import { type DatastoreApi } from '../../admin-console/ports.ts';
import {
  type EntityView,
  type EntityWrite,
  type GqlAnswerView,
  type GqlRequestView,
  type JsonValue,
  type KindView,
} from '../../sdk/contract/admin/data.ts';
import {
  type BindGqlResponse,
  type CommitResponse,
  type LookupResponse,
  type QueryPlanView,
  type RunAggregationResponse,
  type RunQueryResponse,
  type WireGql,
  type WireGqlArgument,
  type WireMutation,
  type WireQuery,
} from '../../sdk/contract/datastore-wire.ts';
import {
  keyFromJson,
  keyToJson,
  propertiesFromJson,
  propertiesToJson,
  valueFromJson,
  valueToJson,
} from '../../sdk/contract/entity-json.ts';
import { decodeEntity, decodeKey, decodeValue, encodeEntity, encodeKey, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey, type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { parseTimestamp } from '../../sdk/contract/timestamp-text.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

const PAGE_SIZE_DEFAULT = 50;

/** Where a page begins: behind how many results and skipped rows of the statement, and the datastore's own position there. */
interface Place {
  readonly returned: number;
  readonly skipped: number;
  readonly cursor?: Uint8Array;
}

interface ReadOptions {
  readonly explain: boolean;
  readonly readTime?: bigint;
}

interface Page {
  readonly entities: readonly EntityView[];
  readonly next?: Place;
  readonly plan?: QueryPlanView;
}

export class DatastoreViewer implements DatastoreApi {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async namespaces(appId: string): Promise<readonly string[]> {
    const { namespaces } = (await this.#read('listNamespaces', { appId, databaseId: '' })) as { namespaces: readonly string[] };
    return namespaces;
  }

  async kinds(appId: string, namespace: string): Promise<readonly KindView[]> {
    const { kinds } = (await this.#read('listKinds', { appId, databaseId: '', namespace })) as { kinds: readonly string[] };
    return kinds.map((kind) => ({ kind }));
  }

  async query(appId: string, request: GqlRequestView): Promise<GqlAnswerView> {
    const gql: WireGql = {
      text: request.gql,
      databaseId: '',
      namespace: request.namespace ?? '',
      named: Object.fromEntries(Object.entries(request.named ?? {}).map(([name, value]) => [name, argumentOf(value, name)])),
      positional: (request.positional ?? []).map((value, at) => argumentOf(value, String(at + 1))),
    };
    const bound = (await this.#read('bindGql', { appId, gql })) as BindGqlResponse;
    const options: ReadOptions = {
      explain: request.explain ?? false,
      ...(request.readTime === undefined ? {} : { readTime: timeFromText(request.readTime) }),
    };
    if (bound.kind === 'aggregation') return this.#aggregate(appId, bound.query, options);
    const place = request.cursor === undefined ? { returned: 0, skipped: 0 } : placeFromText(request.cursor);
    const page = await this.#page(appId, bound.query, place, request.pageSize ?? PAGE_SIZE_DEFAULT, options);
    return {
      kind: 'entities',
      entities: page.entities,
      ...(page.next ? { cursor: placeToText(page.next) } : {}),
      ...(page.plan ? { plan: page.plan } : {}),
    };
  }

  async entity(appId: string, id: string): Promise<EntityView> {
    const key = keyFromId(id);
    const { found } = (await this.#read('lookup', { appId, keys: [encodeKey(key)] })) as LookupResponse;
    const [stored] = found;
    if (!stored) throw new PlatformError('NOT_FOUND', `the entity ${describeKey(key)}`);
    return entityView(decodeEntity(stored.entity), stored.version);
  }

  async write(appId: string, { key, properties, mode, version }: EntityWrite): Promise<EntityView> {
    const entity: Entity = { key: keyFromJson(key), properties: propertiesFromJson(properties) };
    const mutation: WireMutation = {
      op: mode,
      entity: encodeEntity(entity),
      ...(version === undefined ? {} : { baseVersion: BigInt(version) }),
    };
    const result = await this.#commit(appId, mutation);
    const written = result?.key ? decodeKey(result.key) : { ...entity.key, projectId: appId };
    return entityView({ ...entity, key: written }, result?.version ?? 0n);
  }

  async delete(appId: string, id: string): Promise<void> {
    await this.#commit(appId, { op: 'delete', key: encodeKey(keyFromId(id)) });
  }

  async #aggregate(appId: string, query: object, options: ReadOptions): Promise<GqlAnswerView> {
    const { values, plan } = (await this.#read(
      'runAggregation',
      { appId, query, ...options },
      LIMITS.aggregationMs,
    )) as RunAggregationResponse;
    const byName = Object.fromEntries(values.map(({ alias, value }) => [alias, valueToJson(decodeValue(value))]));
    return { kind: 'aggregation', entities: [], values: byName, ...(plan ? { plan } : {}) };
  }

  /** One result more than the page holds is asked for: whether it comes says whether there is a next page. */
  async #page(appId: string, query: WireQuery, place: Place, pageSize: number, options: ReadOptions): Promise<Page> {
    const left = (query.limit ?? Infinity) - place.returned;
    const results: RunQueryResponse['results'][number][] = [];
    const plans: QueryPlanView[] = [];
    let { skipped, cursor } = place;
    const page = (next: Place | undefined): Page => ({
      entities: results.map(({ entity, version }) => entityView(decodeEntity(entity), version)),
      ...(next ? { next } : {}),
      ...(options.explain ? { plan: sumOf(plans) } : {}),
    });
    const behind = (position: Uint8Array): Place => ({ returned: place.returned + results.length, skipped, cursor: position });
    for (let batch = 0; batch < LIMITS.datastoreViewerBatchesMax; batch++) {
      const limit = Math.max(0, Math.min(left, pageSize + 1) - results.length);
      const offset = Math.max(0, query.offset - skipped);
      const asked = { ...query, limit, offset, ...(cursor ? { startCursor: cursor } : {}) };
      const response = (await this.#read('runQuery', { appId, query: asked, ...options })) as RunQueryResponse;
      skipped += response.skipped;
      cursor = response.endCursor;
      results.push(...response.results);
      if (response.plan) plans.push(response.plan);
      if (results.length > pageSize) {
        results.length = pageSize;
        return page(behind(results[pageSize - 1]?.cursor ?? response.endCursor));
      }
      if (response.more !== 'not-finished') return page(undefined);
    }
    return page(cursor && behind(cursor));
  }

  async #commit(appId: string, mutation: WireMutation): Promise<CommitResponse['results'][number] | undefined> {
    const { results } = (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'commit', { appId, mutations: [mutation] })) as CommitResponse;
    return results[0];
  }

  #read(method: string, payload: object, deadlineMs?: number): Promise<unknown> {
    // The datastore ends it first, and says why.
    const deadline = deadlineMs === undefined ? {} : { deadlineMs: deadlineMs + 5_000 };
    return this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, payload, { idempotent: true, ...deadline });
  }
}

function entityView({ key, properties }: Entity, version: bigint): EntityView {
  return {
    id: encodeKey(key).toString('base64url'),
    name: describeKey(key),
    key: keyToJson(key),
    properties: propertiesToJson(properties),
    // Results made of index rows have none.
    ...(version === 0n ? {} : { version: String(version) }),
  };
}

function argumentOf(value: JsonValue, name: string): WireGqlArgument {
  return { value: encodeValue(valueFromJson(value, `the argument ${name}`)) };
}

function keyFromId(id: string): Key {
  if (!/^[A-Za-z0-9_-]+$/.test(id)) throw new PlatformError('DS_INVALID', 'this is no id of an entity');
  return decodeKey(Buffer.from(id, 'base64url'));
}

function timeFromText(text: string): bigint {
  const micros = parseTimestamp(text);
  if (micros === undefined) throw new PlatformError('DS_INVALID', `${JSON.stringify(text)} is no time, such as 2026-01-01T12:00:00Z`);
  return micros;
}

function placeToText({ returned, skipped, cursor }: Place): string {
  return `${returned}.${skipped}.${Buffer.from(cursor ?? []).toString('base64url')}`;
}

/** Forged numbers only change which of the app's own results are shown. */
function placeFromText(text: string): Place {
  const [, returned, skipped, cursor] = /^(\d{1,10})\.(\d{1,10})\.([A-Za-z0-9_-]+)$/.exec(text) ?? [];
  if (cursor === undefined) throw new PlatformError('DS_INVALID', 'the cursor cannot be read');
  return { returned: Number(returned), skipped: Number(skipped), cursor: Buffer.from(cursor, 'base64url') };
}

/** All batches of a page have the same scans. */
function sumOf(plans: readonly QueryPlanView[]): QueryPlanView {
  const sum = (of: (plan: QueryPlanView) => number): number => plans.reduce((total, plan) => total + of(plan), 0);
  return {
    scans: plans[0]?.scans ?? [],
    indexRowsRead: sum((plan) => plan.indexRowsRead),
    entitiesRead: sum((plan) => plan.entitiesRead),
  };
}
