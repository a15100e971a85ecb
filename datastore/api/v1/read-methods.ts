// Lookup, RunQuery, RunAggregationQuery: from requests that have been read to answers.
import { type AggregationQuery, type Query } from '../../../sdk/contract/query.ts';
import { type ReadOptions } from '../../reads.ts';
import { begin } from './begin.ts';
import { type Call } from './call.ts';
import { partitionWithin } from './messages/partition-id.ts';
import { aggregationAnswer, type AnswerContext, lookupAnswer, queryAnswer } from './messages/read-answers.ts';
import { type Consistency } from './messages/read-options.ts';
import { invalid } from './messages/request-fields.ts';
import { transactionOf } from './transaction-id.ts';
import { type LookupRequest, type QueryRequest, type RunQueryRequest } from './messages/requests.ts';
import { type GqlQuery } from './messages/gql-reader.ts';

export function lookup(call: Call, { keys, consistency, mask }: LookupRequest): Promise<Buffer> {
  const { datastore, scope, guard } = call;
  return reading(call, consistency, async (options, context) => {
    const response = await datastore.lookup(scope, keys, options);
    guard?.entitiesRead(scope.appId, response.found.length + response.missing.length);
    return lookupAnswer(response, context, mask);
  });
}

export function runQuery(call: Call, request: RunQueryRequest): Promise<Buffer> {
  const { datastore, scope, guard } = call;
  const { explain, mask } = request;
  const { query, parsed } = queryOf(call, request);
  if (mask && query.projection) throw invalid('property_mask is not for a query with a projection');
  return reading(call, request.consistency, async (options, context) => {
    const batch = await datastore.runQuery(scope, query, { ...options, explain });
    guard?.entitiesRead(scope.appId, batch.results.length + batch.skipped);
    return queryAnswer(batch, context, { explain, ...(parsed && { parsed }), ...(mask && { mask }) });
  });
}

export function runAggregationQuery(call: Call, request: QueryRequest<AggregationQuery>): Promise<Buffer> {
  const { datastore, scope } = call;
  const { explain } = request;
  const { query, parsed } = aggregationOf(call, request);
  return reading(call, request.consistency, async (options, context) => {
    const result = await datastore.runAggregation(scope, query, { ...options, explain });
    return aggregationAnswer(result, context, { explain, ...(parsed && { parsed }) });
  });
}

/** What is asked, and again if it was a statement: its answer says what that came to. */
interface Asked<Q> {
  readonly query: Q;
  readonly parsed?: Q;
}

function queryOf(call: Call, { source, partition }: RunQueryRequest): Asked<Query> {
  const place = partitionWithin(call.scope, partition);
  if (source.kind === 'query') return { query: { ...source.query, ...place } };
  const bound = bind(call, source.gql, place);
  if (bound.kind === 'query') return { query: bound.query, parsed: bound.query };
  throw invalid('gql_query aggregates: call RunAggregationQuery');
}

function aggregationOf(call: Call, { source, partition }: QueryRequest<AggregationQuery>): Asked<AggregationQuery> {
  const place = partitionWithin(call.scope, partition);
  if (source.kind === 'query') return { query: { ...source.query, nested: { ...source.query.nested, ...place } } };
  const bound = bind(call, source.gql, place);
  if (bound.kind === 'aggregation') return { query: bound.query, parsed: bound.query };
  throw invalid('gql_query does not aggregate: call RunQuery');
}

function bind({ datastore, scope }: Call, gql: GqlQuery, place: ReturnType<typeof partitionWithin>): ReturnType<typeof datastore.bindGql> {
  return datastore.bindGql(scope, { ...gql, ...place, dialect: 'cloud' });
}

/** Reads from the state that the request names; a transaction that it begins is rolled back if that fails. */
async function reading(
  { datastore, scope, signal }: Call,
  consistency: Consistency,
  read: (options: ReadOptions, context: AnswerContext) => Promise<Buffer>,
): Promise<Buffer> {
  switch (consistency.kind) {
    case 'newest':
      return read({ signal }, { isEventual: consistency.isEventual });
    case 'transaction':
      return read({ signal, transaction: transactionOf(consistency.id, scope.databaseId) }, { isEventual: false });
    case 'read-time':
      return read({ signal, readTime: consistency.micros }, { isEventual: false });
    case 'new-transaction': {
      const id = await begin(datastore, scope, consistency.options);
      const transaction = transactionOf(id, scope.databaseId);
      try {
        return await read({ signal, transaction }, { begun: id, isEventual: false });
      } catch (error) {
        // A read may have ended it.
        await datastore.rollback(scope, transaction).catch(() => undefined);
        throw error;
      }
    }
  }
}
