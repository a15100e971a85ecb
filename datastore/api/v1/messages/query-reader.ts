// Query, AggregationQuery and what they hold, of requests, as bound queries. Databases and namespaces are not in them: those of
// the request's partition are filled in later.
// Must not check what any query must keep to, whoever made it: the datastore does.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { type AggregationFunction, type AggregationQuery, type Order, type Query } from '../../../../sdk/contract/query.ts';
import { FilterReader } from './filter-reader.ts';
import { readPropertyReference } from './property-reference.ts';
import { another, enumValue, invalid, type Parts, unknownField, unsupported, whole } from './request-fields.ts';

/** DIRECTION_UNSPECIFIED, ASCENDING, DESCENDING. */
const DIRECTIONS: Readonly<Record<number, Order['direction']>> = { 0: 'asc', 1: 'asc', 2: 'desc' };

/** `path` is where the query stands in the request. */
export function readQuery(bytes: Buffer, path: string): Query {
  const reader = new ProtoReader(bytes);
  const projection: string[] = [];
  const distinctOn: string[] = [];
  const orders: Order[] = [];
  const kinds: string[] = [];
  const cursors: { startCursor?: Buffer; endCursor?: Buffer } = {};
  let filter: Parts;
  let limit: Parts;
  let offset = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        projection.push(readProjection(reader.message(), `${path}.projection`));
        break;
      case 3:
        kinds.push(readKind(reader.message()));
        break;
      case 4:
        filter = another(filter, reader);
        break;
      case 5:
        orders.push(readOrder(reader.message(), `${path}.order`));
        break;
      case 6:
        distinctOn.push(readPropertyReference(reader.bytes(), `${path}.distinct_on`));
        break;
      case 7:
        cursors.startCursor = reader.bytes();
        break;
      case 8:
        cursors.endCursor = reader.bytes();
        break;
      case 10:
        offset = reader.small();
        break;
      case 12:
        limit = another(limit, reader);
        break;
      case 13:
        throw unsupported(`${path}.find_nearest`);
      default:
        throw unknownField('Query', reader.field);
    }
    checkTerms(projection.length, distinctOn.length, orders.length);
    if (kinds.length > 1) throw invalid(`${path}.kind names more than one kind`);
  }
  const [entityKind] = kinds;
  const filterMessage = whole(filter);
  const limitMessage = whole(limit);
  const { startCursor, endCursor } = cursors;
  return {
    ...{ databaseId: '', namespace: '', orders, offset },
    ...(entityKind === undefined ? {} : { entityKind }),
    ...(projection.length > 0 && { projection }),
    ...(distinctOn.length > 0 && { distinctOn }),
    ...(filterMessage && { filter: new FilterReader().read(filterMessage, `${path}.filter`) }),
    ...(limitMessage && { limit: readWrapped(limitMessage, 'Int32Value', (field) => field.small()) ?? 0 }),
    ...(startCursor && startCursor.length > 0 && { startCursor }),
    ...(endCursor && endCursor.length > 0 && { endCursor }),
  };
}

export function readAggregationQuery(bytes: Buffer): AggregationQuery {
  const path = 'aggregation_query';
  const reader = new ProtoReader(bytes);
  const aggregations: AggregationQuery['aggregations'][number][] = [];
  let nested: Parts;
  let unnamed = 0;
  while (reader.next()) {
    if (reader.field === 1) nested = another(nested, reader);
    else if (reader.field === 3) {
      const { alias, ...operation } = readAggregation(reader.message(), `${path}.aggregations[${aggregations.length}]`);
      // Those without a name of their own are numbered among themselves.
      aggregations.push({ ...operation, alias: alias === '' ? `property_${(unnamed += 1)}` : alias });
      if (aggregations.length > LIMITS.queryFiltersMax) throw tooManyTerms();
    } else throw unknownField('AggregationQuery', reader.field);
  }
  const message = whole(nested);
  if (!message) throw invalid(`${path}.nested_query must be given`);
  return { nested: readQuery(message, `${path}.nested_query`), aggregations };
}

/** COUNT, SUM, AVG by the field that holds them. */
function readAggregation(reader: ProtoReader, path: string): AggregationFunction & { readonly alias: string } {
  let alias = '';
  let chosen = 0;
  let operator: Parts;
  while (reader.next()) {
    const { field } = reader;
    if (field === 7) alias = reader.string();
    else if (field >= 1 && field <= 3) {
      operator = another(field === chosen ? operator : undefined, reader);
      chosen = field;
    } else throw unknownField('AggregationQuery.Aggregation', field);
  }
  const message = whole(operator);
  if (!message) throw invalid(`${path} must have an operator`);
  if (chosen === 1) return { ...readCount(message, `${path}.count`), alias };
  const kind = chosen === 2 ? 'sum' : 'avg';
  return { kind, property: readAggregated(message, `${path}.${kind}`, chosen === 2 ? 'Sum' : 'Avg'), alias };
}

function readCount(bytes: Buffer, path: string): AggregationFunction {
  const reader = new ProtoReader(bytes);
  let parts: Parts;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('AggregationQuery.Aggregation.Count', reader.field);
    parts = another(parts, reader);
  }
  const message = whole(parts);
  if (!message) return { kind: 'count' };
  const upTo = readWrapped(message, 'Int64Value', (field) => field.int64()) ?? 0n;
  if (upTo < 0n) throw invalid(`${path}.up_to must be non-negative`);
  return { kind: 'count', upTo };
}

function readAggregated(bytes: Buffer, path: string, message: string): string {
  return readOnlyProperty(new ProtoReader(bytes), `${path}.property`, `AggregationQuery.Aggregation.${message}`);
}

function readProjection(reader: ProtoReader, path: string): string {
  return readOnlyProperty(reader, `${path}.property`, 'Projection');
}

/** Of a message that holds a reference to a property, as field 1, and nothing else. */
function readOnlyProperty(reader: ProtoReader, path: string, message: string): string {
  let parts: Parts;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField(message, reader.field);
    parts = another(parts, reader);
  }
  return readPropertyReference(whole(parts), path);
}

function readKind(reader: ProtoReader): string {
  let name = '';
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('KindExpression', reader.field);
    name = reader.string();
  }
  if (name === '') throw invalid('The kind is the empty string.');
  return name;
}

function readOrder(reader: ProtoReader, path: string): Order {
  let parts: Parts;
  let direction: Order['direction'] = 'asc';
  while (reader.next()) {
    if (reader.field === 1) parts = another(parts, reader);
    else if (reader.field === 2) direction = enumValue(DIRECTIONS, reader.small(), `${path}.direction`);
    else throw unknownField('PropertyOrder', reader.field);
  }
  return { property: readPropertyReference(whole(parts), `${path}.property`), direction };
}

/** google.protobuf.Int32Value and its like: present though its number is 0. */
function readWrapped<T>(bytes: Buffer, message: string, read: (reader: ProtoReader) => T): T | undefined {
  const reader = new ProtoReader(bytes);
  let value: T | undefined;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField(message, reader.field);
    value = read(reader);
  }
  return value;
}

/** Many more than any query may have, so that none is read that is refused anyway. */
function checkTerms(...counts: readonly number[]): void {
  if (counts.some((count) => count > LIMITS.queryFiltersMax)) throw tooManyTerms();
}

function tooManyTerms(): PlatformError {
  return new PlatformError(
    'DS_LIMIT',
    `query is too large. may not have more than ${LIMITS.queryFiltersMax} filters + sort orders ancestor total`,
  );
}
