// The datastore as services of the binary wire: `datastore` on an instance's socket, for the one app that owns it, and
// `datastore-admin` on the host's private socket, for any app.
import {
  type BindGqlResponse,
  type CommitResponse,
  DATASTORE_SERVICE,
  type LookupResponse,
  queryFromWire,
  queryToWire,
  type RunAggregationResponse,
  type RunQueryResponse,
} from '../../sdk/contract/datastore-wire.ts';
import { decodeValue, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type CallContext, method, type Service } from '../../sdk/contract/wire/service.ts';
import { type z } from 'zod';
import { type BoundStatement, type GqlArgument } from '../../gql/bind.ts';
import { type Datastore, type GqlRequest } from '../datastore.ts';
import { type DatastoreScope } from '../codec/own-key.ts';
import { type AggregationAnswer, type LookupAnswer, type PlanView, type QueryAnswer } from '../read-answer.ts';
import { type CommitOutcome } from '../transaction/mutation.ts';
import { indexMethods } from './index-methods.ts';
import { integrityMethods } from './integrity-methods.ts';
import { tabletMethods } from './tablet-methods.ts';
import { appId, type GqlPayload, PAYLOADS } from './payload.ts';
import { settingsMethods } from './settings-methods.ts';
import { ttlMethods } from './ttl-methods.ts';

export const DATASTORE_ADMIN_SERVICE = 'datastore-admin';

/** The service of one app. */
export function datastoreService(datastore: Datastore, scope: DatastoreScope): Service {
  const call = calls(datastore);
  return {
    name: DATASTORE_SERVICE,
    methods: {
      lookup: method(PAYLOADS.lookup, (payload, context) => call.lookup(scope, payload, context)),
      runQuery: method(PAYLOADS.runQuery, (payload, context) => call.runQuery(scope, payload, context)),
      runAggregation: method(PAYLOADS.runAggregation, (payload, context) => call.runAggregation(scope, payload, context)),
      beginTransaction: method(PAYLOADS.beginTransaction, (payload) => call.beginTransaction(scope, payload)),
      commit: method(PAYLOADS.commit, (payload, context) => call.commit(scope, payload, context)),
      rollback: method(PAYLOADS.rollback, (payload) => call.rollback(scope, payload)),
      allocateIds: method(PAYLOADS.allocateIds, (payload) => call.allocateIds(scope, payload)),
    },
  };
}

/** The same methods for any app, named by `appId` in each payload, and the upkeep of indexes and tablets. */
export function datastoreAdminService(datastore: Datastore): Service {
  const call = calls(datastore);
  return {
    name: DATASTORE_ADMIN_SERVICE,
    methods: {
      lookup: method(PAYLOADS.lookup.extend({ appId }), (payload, context) => call.lookup(payload, payload, context)),
      runQuery: method(PAYLOADS.runQuery.extend({ appId }), (payload, context) => call.runQuery(payload, payload, context)),
      runAggregation: method(PAYLOADS.runAggregation.extend({ appId }), (payload, context) =>
        call.runAggregation(payload, payload, context),
      ),
      beginTransaction: method(PAYLOADS.beginTransaction.extend({ appId }), (payload) => call.beginTransaction(payload, payload)),
      commit: method(PAYLOADS.commit.extend({ appId }), (payload, context) => call.commit(payload, payload, context)),
      rollback: method(PAYLOADS.rollback.extend({ appId }), (payload) => call.rollback(payload, payload)),
      allocateIds: method(PAYLOADS.allocateIds.extend({ appId }), (payload) => call.allocateIds(payload, payload)),
      ...indexMethods(datastore),
      listKinds: method(PAYLOADS.listKinds.extend({ appId }), async (payload) => ({ kinds: await datastore.listKinds(payload, payload) })),
      listNamespaces: method(PAYLOADS.listNamespaces.extend({ appId }), async (payload) => ({
        namespaces: await datastore.listNamespaces(payload, payload),
      })),
      bindGql: method(PAYLOADS.bindGql.extend({ appId }), (payload) => boundResponse(datastore.bindGql(payload, gqlRequest(payload.gql)))),
      ...integrityMethods(datastore),
      ...settingsMethods(datastore),
      ...tabletMethods(datastore),
      ...ttlMethods(datastore),
    },
  };
}

/** Each method as a function of whose data and what payload. */
function calls(datastore: Datastore) {
  return {
    lookup: async (scope: DatastoreScope, { keys, ...options }: Payload<'lookup'>, { signal }: CallContext) =>
      lookupResponse(await datastore.lookup(scope, keys, { ...options, signal, untimed: true })),

    runQuery: async (
      scope: DatastoreScope,
      { query, gql, ...rest }: Payload<'runQuery'>,
      { signal }: CallContext,
    ): Promise<RunQueryResponse> => {
      const options = { ...rest, signal, untimed: true } as const;
      if (query && !gql) return queryResponse(await datastore.runQuery(scope, queryFromWire(query), options));
      const bound = datastore.bindGql(scope, gqlRequest(onlyGql(query, gql)));
      if (bound.kind === 'query') return queryResponse(await datastore.runQuery(scope, bound.query, options));
      throw new PlatformError('DS_INVALID', 'the statement aggregates: call runAggregation');
    },

    runAggregation: async (
      scope: DatastoreScope,
      { query, gql, ...rest }: Payload<'runAggregation'>,
      { signal }: CallContext,
    ): Promise<RunAggregationResponse> => {
      const options = { ...rest, signal, untimed: true } as const;
      if (query && !gql) {
        return aggregationResponse(await datastore.runAggregation(scope, { ...query, nested: queryFromWire(query.nested) }, options));
      }
      const bound = datastore.bindGql(scope, gqlRequest(onlyGql(query, gql)));
      if (bound.kind === 'aggregation') return aggregationResponse(await datastore.runAggregation(scope, bound.query, options));
      throw new PlatformError('DS_INVALID', 'the statement does not aggregate: call runQuery');
    },

    beginTransaction: async (scope: DatastoreScope, options: Payload<'beginTransaction'>) => ({
      transaction: await datastore.beginTransaction(scope, options),
    }),

    commit: async (scope: DatastoreScope, { mutations, ...options }: Payload<'commit'>, { signal }: CallContext) =>
      commitResponse(await datastore.commit(scope, mutations, { ...options, signal })),

    rollback: async (scope: DatastoreScope, { transaction }: Payload<'rollback'>) => {
      await datastore.rollback(scope, transaction);
      return {};
    },

    allocateIds: (scope: DatastoreScope, { keys }: Payload<'allocateIds'>) => datastore.allocateIds(scope, keys),
  };
}

type Payload<M extends keyof typeof PAYLOADS> = z.infer<(typeof PAYLOADS)[M]>;

function onlyGql(query: unknown, gql: GqlPayload | undefined): GqlPayload {
  if (gql && query === undefined) return gql;
  throw new PlatformError('DS_INVALID', 'give either a query or a GQL statement');
}

function gqlRequest({ text, databaseId, namespace, named, positional }: GqlPayload): GqlRequest {
  const argumentOf = (argument: GqlPayload['positional'][number]): GqlArgument =>
    'value' in argument ? { kind: 'value', value: decodeValue(argument.value) } : { kind: 'cursor', cursor: argument.cursor };
  return {
    text,
    databaseId,
    namespace,
    named: Object.fromEntries(Object.entries(named).map(([name, argument]) => [name, argumentOf(argument)])),
    positional: positional.map(argumentOf),
  };
}

/** Of what reads answer, instances are sent what their protocol has. */
function lookupResponse({ found, missing, deferred }: LookupAnswer): LookupResponse {
  return { found: found.map(({ entity, version }) => ({ entity, version })), missing, deferred };
}

function queryResponse({ resultKind, results, skipped, endCursor, more, query, plan }: QueryAnswer): RunQueryResponse {
  return {
    resultKind,
    results: results.map(({ entity, version, cursor }) => ({ entity, version, cursor })),
    ...{ skipped, endCursor, more, query: queryToWire(query) },
    ...planResponse(plan),
  };
}

function planResponse(plan: PlanView | undefined): Pick<RunQueryResponse, 'plan'> {
  if (!plan) return {};
  const { scans, indexRowsRead, entitiesRead } = plan;
  return { plan: { scans, indexRowsRead, entitiesRead } };
}

function commitResponse({ results, commitTimeMicros }: CommitOutcome): CommitResponse {
  return { results: results.map(({ key, version }) => (key ? { key, version } : { version })), commitTimeMicros };
}

function boundResponse(bound: BoundStatement): BindGqlResponse {
  if (bound.kind === 'query') return { kind: 'query', query: queryToWire(bound.query) };
  return { kind: 'aggregation', query: { ...bound.query, nested: queryToWire(bound.query.nested) } };
}

function aggregationResponse({ values, plan }: AggregationAnswer): RunAggregationResponse {
  return { values: values.map(({ alias, value }) => ({ alias, value: encodeValue(value) })), ...planResponse(plan) };
}
