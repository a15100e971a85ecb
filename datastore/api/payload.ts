// The payloads of the datastore's methods as schemas: the only place that looks at what an instance sent.
// Must not decide anything about data; the facade does. Read next: wire-service.ts.
import { z } from 'zod';
import { LIMITS } from '../../sdk/contract/limits.ts';

const INT64_MAX = 2n ** 63n - 1n;
const INT32_MAX = 2 ** 31 - 1;

const bytes = z.instanceof(Uint8Array);
/** Small integers arrive as numbers. */
export const int64 = z
  .union([z.bigint(), z.int()])
  .transform((value) => BigInt(value))
  .refine((value) => value <= INT64_MAX && value >= -INT64_MAX - 1n, 'more than 64 bits');
const count = z.int().min(0).max(INT32_MAX);
const name = z.string().max(LIMITS.keyNameBytesMax);
const names = z.array(name).max(LIMITS.queryFiltersMax);
/** Microseconds since 1970. */
const readTime = int64.exactOptional();
const transaction = bytes.refine((id) => id.length <= 64, 'not a transaction id').exactOptional();

const operator = z.enum(['=', '<', '<=', '>', '>=', '!=', 'in', 'not-in', 'has-ancestor']);
const propertyFilter = z.object({ kind: z.literal('property'), property: name, operator, value: bytes });

export type FilterPayload = z.infer<typeof propertyFilter> | { readonly kind: 'and' | 'or'; readonly filters: readonly FilterPayload[] };

const filter: z.ZodType<FilterPayload> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    propertyFilter,
    z.object({ kind: z.literal('and'), filters: z.array(filter).min(1).max(LIMITS.queryFiltersMax) }),
    z.object({ kind: z.literal('or'), filters: z.array(filter).min(1).max(LIMITS.queryFiltersMax) }),
  ]),
);

const query = z.object({
  databaseId: name,
  namespace: name,
  entityKind: name.exactOptional(),
  projection: names.exactOptional(),
  distinctOn: names.exactOptional(),
  filter: filter.exactOptional(),
  orders: z.array(z.object({ property: name, direction: z.enum(['asc', 'desc']) })).max(LIMITS.queryFiltersMax),
  limit: count.exactOptional(),
  offset: count,
  startCursor: bytes.exactOptional(),
  endCursor: bytes.exactOptional(),
});

const argument = z.union([z.strictObject({ value: bytes }), z.strictObject({ cursor: bytes })]);

const gql = z.object({
  text: z.string(),
  databaseId: name,
  namespace: name,
  named: z.record(z.string(), argument),
  positional: z.array(argument),
});

const aggregation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('count'), upTo: int64.exactOptional(), alias: name }),
  z.object({ kind: z.literal('sum'), property: name, alias: name }),
  z.object({ kind: z.literal('avg'), property: name, alias: name }),
]);

const written = (op: 'insert' | 'update' | 'upsert') => z.object({ op: z.literal(op), entity: bytes, baseVersion: int64.exactOptional() });
const mutation = z.discriminatedUnion('op', [
  written('insert'),
  written('update'),
  written('upsert'),
  z.object({ op: z.literal('delete'), key: bytes, baseVersion: int64.exactOptional() }),
]);

const explain = z.boolean().exactOptional();

export const PAYLOADS = {
  lookup: z.object({ keys: z.array(bytes).max(LIMITS.lookupKeysMax), transaction, readTime }),
  runQuery: z.object({ query: query.exactOptional(), gql: gql.exactOptional(), transaction, readTime, explain }),
  runAggregation: z.object({
    query: z.object({ nested: query, aggregations: z.array(aggregation) }).exactOptional(),
    gql: gql.exactOptional(),
    transaction,
    readTime,
    explain,
  }),
  listKinds: z.object({ databaseId: name, namespace: name }),
  listNamespaces: z.object({ databaseId: name }),
  bindGql: z.object({ gql }),
  beginTransaction: z.object({ readOnly: z.boolean().exactOptional(), readTime }),
  commit: z.object({ mutations: z.array(mutation).max(LIMITS.commitMutationsMax), transaction }),
  rollback: z.object({ transaction: bytes }),
  allocateIds: z.object({ keys: z.array(bytes).max(LIMITS.allocateIdsMax) }),
};

export type GqlPayload = z.infer<typeof gql>;

/** The app that an admin call is about. */
export const appId = z.string().min(1).max(100);

export const indexDefinitions = z
  .array(
    z.object({
      kind: name,
      ancestor: z.boolean(),
      properties: z.array(z.object({ name, direction: z.enum(['asc', 'desc']) })).max(LIMITS.compositePropertiesMax),
    }),
  )
  .max(LIMITS.compositeIndexesMax);
