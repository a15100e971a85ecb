// Filter of requests: a tree, whose depth and size are bounded while it is read.
import { decodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { type CompositeFilter, type Filter, type PropertyFilter, type PropertyOperator } from '../../../../sdk/contract/query.ts';
import { known } from './known-fields.ts';
import { readPropertyReference } from './property-reference.ts';
import { another, enumValue, invalid, type Parts, unknownField, whole } from './request-fields.ts';

/** Undefined: OPERATOR_UNSPECIFIED. */
const OPERATORS: Readonly<Record<number, PropertyOperator | 'none'>> = {
  ...{ 0: 'none', 1: '<', 2: '<=', 3: '>', 4: '>=', 5: '=', 6: 'in', 9: '!=', 11: 'has-ancestor', 13: 'not-in' },
};
const COMPOSITES: Readonly<Record<number, CompositeFilter['kind'] | 'none'>> = { 0: 'none', 1: 'and', 2: 'or' };

/** Reads one tree. */
export class FilterReader {
  #conditions = 0;

  /** Throws DS_INVALID or DS_LIMIT. `path` is where the filter stands in the request. */
  read(bytes: Buffer, path: string, depth = 0): Filter {
    if (depth > LIMITS.queryFilterDepthMax) throw new PlatformError('DS_LIMIT', `filters nest deeper than ${LIMITS.queryFilterDepthMax}`);
    const reader = new ProtoReader(bytes);
    let chosen = 0;
    let parts: Parts;
    while (reader.next()) {
      const { field } = reader;
      if (field !== 1 && field !== 2) throw unknownField('Filter', field);
      parts = another(field === chosen ? parts : undefined, reader);
      chosen = field;
    }
    const message = whole(parts);
    if (!message) throw invalid('a filter must have exactly one of its fields set');
    return chosen === 1 ? this.#composite(message, `${path}.composite_filter`, depth) : this.#property(message, `${path}.property_filter`);
  }

  #composite(bytes: Buffer, path: string, depth: number): CompositeFilter {
    const reader = new ProtoReader(bytes);
    const filters: Filter[] = [];
    let kind: CompositeFilter['kind'] | 'none' = 'none';
    while (reader.next()) {
      if (reader.field === 1) kind = enumValue(COMPOSITES, reader.small(), `${path}.op`);
      else if (reader.field === 2) filters.push(this.read(reader.bytes(), `${path}.filters[${filters.length}]`, depth + 1));
      else throw unknownField('CompositeFilter', reader.field);
    }
    if (kind === 'none') throw invalid('a composite filter must specify an operator');
    if (filters.length === 0) throw invalid(`${path}.filters must not be empty`);
    return { kind, filters };
  }

  #property(bytes: Buffer, path: string): PropertyFilter {
    this.#conditions += 1;
    if (this.#conditions > LIMITS.queryFiltersMax) {
      throw new PlatformError(
        'DS_LIMIT',
        `query is too large. may not have more than ${LIMITS.queryFiltersMax} filters + sort orders ancestor total`,
      );
    }
    const reader = new ProtoReader(bytes);
    let property: Parts;
    let value: Parts;
    let operator: PropertyOperator | 'none' = 'none';
    while (reader.next()) {
      if (reader.field === 1) property = another(property, reader);
      else if (reader.field === 2) operator = enumValue(OPERATORS, reader.small(), `${path}.op`);
      else if (reader.field === 3) value = another(value, reader);
      else throw unknownField('PropertyFilter', reader.field);
    }
    if (operator === 'none') throw invalid('a property filter must specify an operator');
    const name = readPropertyReference(whole(property), `${path}.property`);
    const message = whole(value);
    if (!message) throw invalid(`${path}.value must be given`);
    return { kind: 'property', property: name, operator, value: decodeValue(known(message, 'Value')) };
  }
}
