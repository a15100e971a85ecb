// Query and AggregationQuery of answers: what a GQL statement came to, for the client to send again.
import { encodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { type ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { type AggregationQuery, type Filter, type PropertyOperator, type Query } from '../../../../sdk/contract/query.ts';

const OPERATORS = {
  ...{ '<': 1, '<=': 2, '>': 3, '>=': 4, '=': 5, in: 6, '!=': 9, 'has-ancestor': 11, 'not-in': 13 },
} as const satisfies Record<PropertyOperator, number>;
const COMPOSITES = { and: 1, or: 2 } as const;
const DIRECTIONS = { asc: 1, desc: 2 } as const;

export function writeQuery(writer: ProtoWriter, query: Query): void {
  for (const property of query.projection ?? []) writer.messageField(2, () => writeReference(writer, 1, property));
  const { entityKind, filter } = query;
  if (entityKind !== undefined) writer.messageField(3, () => writer.stringField(1, entityKind));
  if (filter) writer.messageField(4, () => writeFilter(writer, filter));
  for (const { property, direction } of query.orders) {
    writer.messageField(5, () => {
      writeReference(writer, 1, property);
      writer.smallField(2, DIRECTIONS[direction]);
    });
  }
  for (const property of query.distinctOn ?? []) writeReference(writer, 6, property);
  if (query.startCursor) writer.bytesField(7, query.startCursor);
  if (query.endCursor) writer.bytesField(8, query.endCursor);
  if (query.offset > 0) writer.smallField(10, query.offset);
  const { limit } = query;
  if (limit !== undefined) writer.messageField(12, () => writer.smallField(1, limit));
}

export function writeAggregationQuery(writer: ProtoWriter, { nested, aggregations }: AggregationQuery): void {
  writer.messageField(1, () => writeQuery(writer, nested));
  for (const one of aggregations) {
    writer.messageField(3, () => {
      if (one.kind === 'count') {
        const { upTo } = one;
        writer.messageField(1, () => {
          if (upTo !== undefined) writer.messageField(1, () => writer.varintField(1, upTo));
        });
      } else writer.messageField(one.kind === 'sum' ? 2 : 3, () => writeReference(writer, 1, one.property));
      writer.stringField(7, one.alias);
    });
  }
}

function writeFilter(writer: ProtoWriter, filter: Filter): void {
  if (filter.kind === 'property') {
    writer.messageField(2, () => {
      writeReference(writer, 1, filter.property);
      writer.smallField(2, OPERATORS[filter.operator]);
      writer.bytesField(3, encodeValue(filter.value));
    });
    return;
  }
  writer.messageField(1, () => {
    writer.smallField(1, COMPOSITES[filter.kind]);
    for (const one of filter.filters) writer.messageField(2, () => writeFilter(writer, one));
  });
}

function writeReference(writer: ProtoWriter, field: number, property: string): void {
  writer.messageField(field, () => writer.stringField(2, property));
}
