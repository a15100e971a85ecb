import { describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Value } from '../sdk/contract/entity.ts';
import { type Filter, type Query } from '../sdk/contract/query.ts';
import { bindGql, type BindContext, type BoundStatement, type GqlArgument, type GqlArguments } from './bind.ts';
import { parseGql } from './parse.ts';

const CONTEXT: BindContext = { projectId: 'app', databaseId: 'db', namespace: 'ns' };

const value = (body: Value): GqlArgument => ({ kind: 'value', value: body });
const integer = (number: number): GqlArgument => value({ kind: 'integer', value: BigInt(number) });
const string = (text: string): GqlArgument => value({ kind: 'string', value: text });
const cursor = (...bytes: number[]): GqlArgument => ({ kind: 'cursor', cursor: Uint8Array.from(bytes) });
const keyValue = (...path: { kind: string; id?: bigint; name?: string }[]): Value => ({
  kind: 'key',
  value: { projectId: 'app', databaseId: 'db', namespace: 'ns', path },
});

function bind(text: string, args: GqlArguments = {}, context: Partial<BindContext> = {}): BoundStatement {
  return bindGql(parseGql(text), args, { ...CONTEXT, ...context });
}

function query(text: string, args: GqlArguments = {}): Query {
  const bound = bind(text, args);
  if (bound.kind !== 'query') throw new Error('not a query');
  return bound.query;
}

const filter = (where: string, args: GqlArguments = {}): Filter | undefined => query(`SELECT * FROM T WHERE ${where}`, args).filter;

const valueIn = (where: string, args: GqlArguments = {}): Value | undefined => {
  const found = filter(where, args);
  return found?.kind === 'property' ? found.value : undefined;
};

function errorOf(action: () => unknown): PlatformError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof PlatformError) return thrown;
    throw thrown;
  }
  throw new Error('no error');
}

describe('a select', () => {
  it('without clauses is a kindless query of everything', () => {
    expect(query('SELECT *')).toEqual({ databaseId: 'db', namespace: 'ns', orders: [], offset: 0 });
  });

  it('names its kind, projection and orders', () => {
    expect(query('SELECT a, T.b.c FROM T ORDER BY T.a DESC, d')).toEqual({
      databaseId: 'db',
      namespace: 'ns',
      entityKind: 'T',
      projection: ['a', 'b.c'],
      orders: [
        { property: 'a', direction: 'desc' },
        { property: 'd', direction: 'asc' },
      ],
      offset: 0,
    });
  });

  it('strips the kind once, only from a longer name, and only where it stands as a name of its own', () => {
    expect(query('SELECT Product.Product.Name, Product, Other.Name, `Product.Name` FROM Product').projection).toEqual([
      'Product.Name',
      'Product',
      'Other.Name',
      'Product.Name',
    ]);
    expect(query('SELECT T.__key__ FROM T').projection).toEqual(['__key__']);
    expect(query('SELECT T.a').projection).toEqual(['T.a']);
  });

  it.each([
    ['SELECT DISTINCT a, b FROM T', { projection: ['a', 'b'], distinctOn: ['a', 'b'] }],
    ['SELECT DISTINCT ON (a) a, b FROM T', { projection: ['a', 'b'], distinctOn: ['a'] }],
    ['SELECT DISTINCT ON (T.a) a FROM T', { projection: ['a'], distinctOn: ['a'] }],
    ['SELECT DISTINCT ON (a) * FROM T', { distinctOn: ['a'] }],
  ])('%s', (text, expected) => {
    expect(query(text)).toMatchObject(expected);
  });

  it('refuses DISTINCT ON of what it does not select', () => {
    expect(errorOf(() => bind('SELECT DISTINCT ON (a, b) a FROM T'))).toMatchObject({
      code: 'GQL_SYNTAX',
      details: { line: 1, column: 24 },
    });
  });
});

describe('a condition', () => {
  it.each([
    ['a = 1', 'a', '=', { kind: 'integer', value: 1n }],
    ['a = 1.0', 'a', '=', { kind: 'double', value: 1 }],
    ['T.a != TRUE', 'a', '!=', { kind: 'boolean', value: true }],
    ["a CONTAINS 'x'", 'a', '=', { kind: 'string', value: 'x' }],
    ["'x' IN a", 'a', '=', { kind: 'string', value: 'x' }],
    ['a IS NULL', 'a', '=', { kind: 'null' }],
    ['a = NULL', 'a', '=', { kind: 'null' }],
    ['1 < a', 'a', '>', { kind: 'integer', value: 1n }],
    ['1 <= a', 'a', '>=', { kind: 'integer', value: 1n }],
    ['1 > a', 'a', '<', { kind: 'integer', value: 1n }],
    ['1 >= a', 'a', '<=', { kind: 'integer', value: 1n }],
    ['1 = a', 'a', '=', { kind: 'integer', value: 1n }],
    ['1 != a', 'a', '!=', { kind: 'integer', value: 1n }],
    ['a IN ARRAY(1, NULL)', 'a', 'in', { kind: 'array', values: [{ kind: 'integer', value: 1n }, { kind: 'null' }] }],
    ['a NOT IN ARRAY(1)', 'a', 'not-in', { kind: 'array', values: [{ kind: 'integer', value: 1n }] }],
    ['__key__ HAS ANCESTOR KEY(A, 1)', '__key__', 'has-ancestor', keyValue({ kind: 'A', id: 1n })],
    ['KEY(A, 1) HAS DESCENDANT T.__key__', '__key__', 'has-ancestor', keyValue({ kind: 'A', id: 1n })],
  ])('%s', (where, property, operator, operand) => {
    expect(filter(where)).toEqual({ kind: 'property', property, operator, value: operand });
  });

  it('keeps the structure of AND and OR', () => {
    expect(filter('a = 1 AND (b = 2 OR c = 3)')).toMatchObject({
      kind: 'and',
      filters: [{ property: 'a' }, { kind: 'or', filters: [{ property: 'b' }, { property: 'c' }] }],
    });
  });

  it.each([
    ['a HAS ANCESTOR KEY(A, 1)', 'property must be __key__'],
    ['__key__ HAS ANCESTOR 5', 'An ancestor is a key'],
    ['a IN 5', 'IN takes a list'],
    ['a IN ARRAY(ARRAY(1))', 'An array cannot hold an array'],
    ["a = DATETIME('yesterday')", 'RFC 3339'],
    ["a = BLOB('a+b=')", 'base64url'],
    ["a = BLOB('abcde')", 'base64url'],
    ['a = KEY(A, 0)', 'greater than 0'],
    ['a = KEY(A, -5)', 'greater than 0'],
    ["a = KEY(A, '')", 'cannot be empty'],
    ["a = KEY(PROJECT(''), A, 1)", 'cannot be empty'],
  ])('refuses %s with its place', (where, reason) => {
    const error = errorOf(() => filter(where));
    expect(error.code).toBe('GQL_SYNTAX');
    expect(error.message).toContain(reason);
    expect(error.message).toMatch(/At line 1, column \d+:\n {2}SELECT .*\n +\^$/);
    expect(error.details).toMatchObject({ line: 1 });
  });
});

describe('a literal', () => {
  it('key lives in the project and namespace of the request unless it says otherwise', () => {
    expect(valueIn("a = KEY(A, 1, B, 'x')")).toEqual(keyValue({ kind: 'A', id: 1n }, { kind: 'B', name: 'x' }));
    expect(valueIn("a = KEY(PROJECT('p'), NAMESPACE(''), A, 1)")).toEqual({
      kind: 'key',
      value: { projectId: 'p', databaseId: 'db', namespace: '', path: [{ kind: 'A', id: 1n }] },
    });
  });

  it('blob is base64url', () => {
    expect(valueIn("a = BLOB('_-8')")).toEqual({ kind: 'blob', value: Uint8Array.of(0xff, 0xef) });
  });

  it('datetime has microseconds and an offset', () => {
    expect(valueIn("a = DATETIME('1970-01-01T01:00:00.25+01:00')")).toEqual({ kind: 'timestamp', micros: 250_000n });
  });
});

describe('LIMIT and OFFSET', () => {
  it.each<[string, GqlArguments, Partial<Query>]>([
    ['LIMIT 5 OFFSET 10', {}, { limit: 5, offset: 10 }],
    ['LIMIT 0', {}, { limit: 0 }],
    ['LIMIT @1 OFFSET @2', { positional: [integer(5), integer(10)] }, { limit: 5, offset: 10 }],
    ['LIMIT @c', { named: { c: cursor(1) } }, { endCursor: Uint8Array.of(1) }],
    ['LIMIT FIRST(@c, 5)', { named: { c: cursor(1) } }, { limit: 5, endCursor: Uint8Array.of(1) }],
    ['LIMIT FIRST(@1, @2)', { positional: [integer(5), cursor(1)] }, { limit: 5, endCursor: Uint8Array.of(1) }],
    ['OFFSET @c', { named: { c: cursor(2) } }, { offset: 0, startCursor: Uint8Array.of(2) }],
    ['OFFSET @c + 3', { named: { c: cursor(2) } }, { offset: 3, startCursor: Uint8Array.of(2) }],
    ['OFFSET @c + @n', { named: { c: cursor(2), n: integer(3) } }, { offset: 3, startCursor: Uint8Array.of(2) }],
  ])('%s', (clauses, args, expected) => {
    expect(query(`SELECT * FROM T ${clauses}`, args)).toEqual({
      databaseId: 'db',
      namespace: 'ns',
      entityKind: 'T',
      orders: [],
      offset: 0,
      ...expected,
    });
  });

  it.each<[string, GqlArguments, string, string]>([
    ['LIMIT -1', {}, 'GQL_SYNTAX', 'Limit must be non-negative.'],
    ['OFFSET -1', {}, 'GQL_SYNTAX', 'Offset must be non-negative.'],
    ['LIMIT 2147483648', {}, 'GQL_SYNTAX', 'Limit must be at most 2147483647.'],
    ['LIMIT @1', { positional: [integer(-1)] }, 'GQL_BIND', 'position 1: Limit must be non-negative.'],
    ['LIMIT @1', { positional: [string('5')] }, 'GQL_BIND', 'position 1, found "string", want "integer or cursor"'],
    ['LIMIT FIRST(1, 2)', {}, 'GQL_SYNTAX', 'FIRST takes a cursor and an integer'],
    ['LIMIT FIRST(@1, 2)', { positional: [integer(1)] }, 'GQL_BIND', 'position 1, found "integer", want "cursor"'],
    ['LIMIT FIRST(@1, @2)', { positional: [cursor(1), cursor(2)] }, 'GQL_BIND', 'position 2, found "cursor", want "integer"'],
    ['OFFSET 1 + 2', {}, 'GQL_SYNTAX', 'What + adds to is a cursor'],
    ['OFFSET @1 + 2', { positional: [integer(1)] }, 'GQL_BIND', 'position 1, found "integer", want "cursor"'],
    ['OFFSET @1 + @1', { positional: [cursor(1)] }, 'GQL_BIND', 'position 1, found "cursor", want "integer"'],
  ])('refuses %s', (clauses, args, code, reason) => {
    const error = errorOf(() => query(`SELECT * FROM T ${clauses}`, args));
    expect(error.code).toBe(code);
    expect(error.message).toContain(reason);
  });
});

describe('arguments', () => {
  it('may be named and positional in one statement, and used more than once', () => {
    expect(filter('a = @1 AND b = @x AND c = @1', { named: { x: string('y') }, positional: [integer(1)] })).toMatchObject({
      filters: [{ value: { value: 1n } }, { value: { value: 'y' } }, { value: { value: 1n } }],
    });
  });

  it('of IN are arrays', () => {
    const list: Value = { kind: 'array', values: [{ kind: 'integer', value: 1n }] };
    expect(valueIn('a IN @1', { positional: [value(list)] })).toBe(list);
  });

  it('keep the meaning and flags of their values', () => {
    const compressed: Value = { kind: 'blob', value: Uint8Array.of(1), meaning: 22, excludeFromIndexes: true };
    expect(valueIn('a = @1', { positional: [value(compressed)] })).toBe(compressed);
  });

  it.each<[string, GqlArguments, string]>([
    ['a = @x', {}, 'Cannot bind GQL argument: Absent named binding: x. The statement uses @x'],
    ['a = @toString', { named: {} }, 'Cannot bind GQL argument: Absent named binding: toString. The statement uses @toString'],
    ['a = @2', { positional: [integer(1)] }, 'Cannot bind GQL argument: Absent positional binding: 2. The statement uses @2'],
    [
      'a = @1',
      { positional: [integer(1), integer(2)] },
      'Cannot bind GQL argument: Unused positional binding: 2. The statement has no such argument',
    ],
    [
      'a = @1 AND b = @3',
      { positional: [integer(1), integer(2), integer(3)] },
      'Cannot bind GQL argument: Unused positional binding: 2. The statement has no such argument',
    ],
    ['a = @x', { named: { x: cursor(1) } }, 'Cannot bind GQL argument: name "x", found "cursor", want "value"'],
    ['a IN @1', { positional: [string('x')] }, 'Cannot bind GQL argument: position 1, found "string", want "array"'],
    ['__key__ HAS ANCESTOR @1', { positional: [string('x')] }, 'Cannot bind GQL argument: position 1, found "string", want "key"'],
    [
      'a IN ARRAY(@1)',
      { positional: [value({ kind: 'array', values: [] })] },
      'Cannot bind GQL argument: position 1, found "array", want "single value"',
    ],
  ])('of %s that do not fit', (where, args, message) => {
    expect(errorOf(() => filter(where, args))).toMatchObject({ code: 'GQL_BIND', message });
  });

  it('that do not fit are described for programs', () => {
    const error = errorOf(() => filter('a = 1 AND b IN @2', { positional: [integer(1), string('x')] }));
    expect(error.details).toEqual({ argument: 'position 2', line: 1, column: 38, found: 'string', want: 'array' });
  });

  it('that are surplus are fine by name', () => {
    expect(filter('a = @x', { named: { x: integer(1), y: integer(2) } })).toBeDefined();
  });
});

describe('without allowLiterals', () => {
  const strict = (text: string, args: GqlArguments = {}): BoundStatement => bind(text, args, { allowLiterals: false });

  it.each([
    ["SELECT * FROM T WHERE a = 'Blackwell'", "'Blackwell'"],
    ['SELECT * FROM T WHERE a = "B"', '"B"'],
    ['SELECT * FROM T WHERE a = 5', '5'],
    ['SELECT * FROM T WHERE a = -5.5', '-5.5'],
    ['SELECT * FROM T WHERE a = true', 'true'],
    ['SELECT * FROM T WHERE a = NULL', 'NULL'],
    ['SELECT * FROM T WHERE a = KEY(A, 1)', 'KEY'],
    ['SELECT * FROM T WHERE a IN ARRAY(@1)', 'ARRAY'],
    ["SELECT * FROM T WHERE a = BLOB('aGk')", 'BLOB'],
    ["SELECT * FROM T WHERE a = DATETIME('x')", 'DATETIME'],
    ['SELECT * FROM T LIMIT 5', '5'],
    ['SELECT * FROM T OFFSET 5', '5'],
    ['SELECT * FROM T WHERE a IN (:1, 5);', '5'],
    ["SELECT * FROM T WHERE a = DATE('2024-01-01');", "'2024-01-01'"],
  ])('refuses %s', (text, literal) => {
    const error = errorOf(() => strict(text, { positional: [integer(1)] }));
    expect(error.code).toBe('GQL_SYNTAX');
    expect(error.message).toContain(`Disallowed literal: ${literal}. Pass the value as an argument.`);
  });

  it('still takes arguments, IS NULL and COUNT_UP_TO', () => {
    expect(strict('SELECT COUNT_UP_TO(5) FROM T WHERE a IS NULL AND b = @1', { positional: [integer(1)] })).toMatchObject({
      kind: 'aggregation',
    });
  });
});

describe('an aggregation', () => {
  it('in the simple form counts over the conditions', () => {
    expect(bind('SELECT COUNT(*), COUNT_UP_TO(5) AS n, SUM(T.a), AVG(b) FROM T WHERE c = 1')).toMatchObject({
      kind: 'aggregation',
      query: {
        nested: { entityKind: 'T', filter: { property: 'c' }, orders: [], offset: 0 },
        aggregations: [
          { kind: 'count', alias: 'property_1' },
          { kind: 'count', upTo: 5n, alias: 'n' },
          { kind: 'sum', property: 'a', alias: 'property_2' },
          { kind: 'avg', property: 'b', alias: 'property_3' },
        ],
      },
    });
  });

  it('over a select honours its clauses', () => {
    expect(bind('AGGREGATE SUM(a) AS total OVER (SELECT * FROM T ORDER BY a LIMIT 5 OFFSET 2)')).toMatchObject({
      query: { nested: { limit: 5, offset: 2, orders: [{ property: 'a' }] }, aggregations: [{ alias: 'total' }] },
    });
  });

  it.each([
    ['SELECT COUNT(*) AS a, SUM(b) AS a FROM T', 'The alias a is used twice.'],
    ['SELECT COUNT(*) AS property_1, SUM(b) FROM T', 'The alias property_1 is used twice.'],
    ['SELECT SUM(a), SUM(b), SUM(c), SUM(d), SUM(e), SUM(f) FROM T', 'at most 5 aggregations'],
    ['SELECT COUNT_UP_TO(-1) FROM T', 'not negative'],
  ])('refuses %s', (text, reason) => {
    const error = errorOf(() => bind(text));
    expect(error.code).toBe('GQL_SYNTAX');
    expect(error.message).toContain(reason);
  });
});
