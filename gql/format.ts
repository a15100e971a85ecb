// Statement → text in its own dialect, such that parsing the text gives the same tree but for its places.
import { assertNever } from '../sdk/support/assert.ts';
import {
  type Aggregation,
  type AggregationItem,
  type Condition,
  type GqlDialect,
  type GqlStatement,
  type GqlValue,
  type Limit,
  type Offset,
  type Property,
  type Select,
} from './ast.ts';
import { isReserved } from './keyword.ts';
import { cloudDouble, cloudString, pythonDouble, pythonString, quotedName } from './literal-text.ts';

/** Prints a statement that parseGql made, on one line, with words in upper case. */
export function formatGql(statement: GqlStatement): string {
  const printer = new Printer(statement.dialect);
  return statement.tree.kind === 'select' ? printer.select(statement.tree) : printer.aggregation(statement.tree);
}

class Printer {
  readonly #dialect: GqlDialect;

  constructor(dialect: GqlDialect) {
    this.#dialect = dialect;
  }

  select(select: Select): string {
    return this.#clauses(`SELECT ${this.#selection(select)}`, select);
  }

  aggregation({ form, functions, over }: Aggregation): string {
    const list = functions.map((item) => this.#function(item)).join(', ');
    return form === 'over' ? `AGGREGATE ${list} OVER (${this.select(over)})` : this.#clauses(`SELECT ${list}`, over);
  }

  #clauses(head: string, { from, where, orders, limit, offset, hint }: Select): string {
    const clauses = [head];
    if (from !== undefined) clauses.push(`FROM ${this.#name(from.name)}`);
    if (where !== undefined) clauses.push(`WHERE ${this.#condition(where)}`);
    if (orders.length > 0) {
      const items = orders.map(({ property, direction }) => `${this.#property(property)}${direction === 'desc' ? ' DESC' : ''}`);
      clauses.push(`ORDER BY ${items.join(', ')}`);
    }
    if (limit !== undefined) clauses.push(`LIMIT ${this.#limit(limit)}`);
    if (offset !== undefined) clauses.push(`OFFSET ${this.#offset(offset)}`);
    if (hint !== undefined) clauses.push(`HINT ${hint}`);
    return clauses.join(' ');
  }

  #selection({ selection: { properties, distinct, distinctOn } }: Select): string {
    const list = properties === undefined ? '*' : this.#properties(properties);
    if (distinctOn !== undefined) return `DISTINCT ON (${this.#properties(distinctOn)}) ${list}`;
    return distinct ? `DISTINCT ${list}` : list;
  }

  #function(item: AggregationItem): string {
    const alias = item.alias === undefined ? '' : ` AS ${this.#name(item.alias.name)}`;
    switch (item.kind) {
      case 'count':
        return `COUNT(*)${alias}`;
      case 'count-up-to':
        return `COUNT_UP_TO(${item.limit})${alias}`;
      case 'sum':
      case 'avg':
        return `${item.kind.toUpperCase()}(${this.#property(item.property)})${alias}`;
      default:
        return assertNever(item);
    }
  }

  #condition(condition: Condition): string {
    switch (condition.kind) {
      case 'comparison':
        return `${this.#property(condition.property)} ${condition.operator} ${this.#operand(condition.value)}`;
      case 'reversed':
        return `${this.#operand(condition.value)} ${condition.operator} ${this.#property(condition.property)}`;
      case 'is-null':
        return `${this.#property(condition.property)} IS NULL`;
      case 'ancestor':
        return `ANCESTOR IS ${this.#operand(condition.value)}`;
      case 'and':
        return condition.conditions.map((each) => this.#nested(each, each.kind === 'and' || each.kind === 'or')).join(' AND ');
      case 'or':
        return condition.conditions.map((each) => this.#nested(each, each.kind === 'or')).join(' OR ');
      default:
        return assertNever(condition);
    }
  }

  #nested(condition: Condition, enclosed: boolean): string {
    return enclosed ? `(${this.#condition(condition)})` : this.#condition(condition);
  }

  #operand(value: GqlValue): string {
    const python = this.#dialect === 'python';
    switch (value.kind) {
      case 'binding':
        return `${python ? ':' : '@'}${value.name}`;
      case 'integer':
        return `${value.value}`;
      case 'double':
        return python ? pythonDouble(value.value) : cloudDouble(value.value);
      case 'string':
        return this.#string(value.value);
      case 'boolean':
        return value.value ? 'TRUE' : 'FALSE';
      case 'null':
        return 'NULL';
      case 'array':
        return `${python ? '' : 'ARRAY'}(${value.items.map((item) => this.#operand(item)).join(', ')})`;
      case 'blob':
        return `BLOB(${this.#string(value.text)})`;
      case 'datetime':
        return `DATETIME(${this.#string(value.text)})`;
      case 'cast':
        return `${value.name}(${value.values.map((each) => this.#operand(each)).join(', ')})`;
      case 'key': {
        const elements = value.path.map(({ entityKind, id }) => {
          return `${this.#name(entityKind)}, ${typeof id === 'bigint' ? id : this.#string(id)}`;
        });
        const project = value.project === undefined ? [] : [`PROJECT(${this.#string(value.project)})`];
        const namespace = value.namespace === undefined ? [] : [`NAMESPACE(${this.#string(value.namespace)})`];
        return `KEY(${[...project, ...namespace, ...elements].join(', ')})`;
      }
      default:
        return assertNever(value);
    }
  }

  #limit({ positions: [one, other] }: Limit): string {
    return other === undefined ? this.#operand(one) : `FIRST(${this.#operand(one)}, ${this.#operand(other)})`;
  }

  #offset({ base, plus }: Offset): string {
    return plus === undefined ? this.#operand(base) : `${this.#operand(base)} + ${this.#operand(plus)}`;
  }

  #properties(properties: readonly Property[]): string {
    return properties.map((property) => this.#property(property)).join(', ');
  }

  #property(property: Property): string {
    return property.components.map((component) => this.#name(component)).join('.');
  }

  #string(text: string): string {
    return this.#dialect === 'cloud' ? cloudString(text) : pythonString(text);
  }

  #name(name: string): string {
    const bare = this.#dialect === 'cloud' ? /^[A-Za-z_$][\w$]*$/ : /^[A-Za-z_]\w*(?:\.\w+)*$/;
    return bare.test(name) && !isReserved(name, this.#dialect) ? name : quotedName(name, this.#dialect);
  }
}
