// Lookup, RunQuery, RunAggregationQuery: from requests that have been read to answers.
import { type AggregationQuery, type Query } from '../../../sdk/contract/query.ts';
import { type ReadOptions } from '../../reads.ts';
import { type Call } from './call.ts';
import { partitionWithin } from './partition-id.ts';
import { aggregationAnswer, type AnswerContext, lookupAnswer, queryAnswer } from './read-answers.ts';
import { type Consistency } from './read-options.ts';
import { invalid, unsupported } from './request-fields.ts';
import { type LookupRequest, type QueryRequest, type RunQueryRequest } from './requests.ts';
import { type GqlQuery } from './gql-reader.ts';

export function lookup(call: Call, { keys, consistency, mask }: LookupRequest): Promise<Buffer> {
  if (mask) throw unsupported('property_mask');
  const { datastore, scope, guard } = call;
  return reading(call, consistency, async (options, context) => {
    const response = await datastore.lookup(scope, keys, options);
    guard?.entitiesRead(scope.appId, response.found.length + response.missing.length);
    return lookupAnswer(response, context);
  });
}

export function runQuery(call: Call, request: RunQueryRequest): Promise<Buffer> {
  const { datastore, scope, guard } = call;
  if (request.mask) throw unsupported('property_mask');
  if (request.explain) throw unsupported('explain_options');
  const { query, parsed } = queryOf(call, request);
  return reading(call, request.consistency, async (options, context) => {
    const batch = await datastore.runQuery(scope, query, options);
    guard?.entitiesRead(scope.appId, batch.results.length + batch.skipped);
    return queryAnswer(batch, context, parsed);
  });
}

export function runAggregationQuery(call: Call, request: QueryRequest<AggregationQuery>): Promise<Buffer> {
  const { datastore, scope } = call;
  if (request.explain) throw unsupported('explain_options');
  const { query, parsed } = aggregationOf(call, request);
  return reading(call, request.consistency, async (options, context) =>
    aggregationAnswer(await datastore.runAggregation(scope, query, options), context, parsed),
  );
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
  return datastore.bindGql(scope, { ...gql, ...place });
}

/** Reads from the state that the request names; a transaction that it begins is rolled back if that fails. */
async function reading(
  { datastore, scope, signal }: Call,
  consistency: Consistency,
  read: (options: ReadOptions, context: AnswerContext) => Promise<Buffer>,
): Promise<Buffer> {
  switch (consistency.kind) {
    case 'newest':
      return read({ signal }, {});
    case 'transaction':
      return read({ signal, transaction: consistency.id }, {});
    case 'read-time':
      return read({ signal, readTime: consistency.micros }, {});
    case 'new-transaction': {
      const { kind, ...rest } = consistency.options;
      const begun = await datastore.beginTransaction(scope, { readOnly: kind === 'read-only', ...rest });
      try {
        return await read({ signal, transaction: begun }, { begun });
      } catch (error) {
        // A read may have ended it.
        await datastore.rollback(scope, begun).catch(() => undefined);
        throw error;
      }
    }
  }
}
