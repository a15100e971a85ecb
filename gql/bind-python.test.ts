import { describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Value } from '../sdk/contract/entity.ts';
import { type Query } from '../sdk/contract/query.ts';
import { bindGql, type GqlArgument, type GqlArguments } from './bind.ts';
import { parseGql } from './parse.ts';

const value = (body: Value): GqlArgument => ({ kind: 'value', value: body });
const integer = (number: number): GqlArgument => value({ kind: 'integer', value: BigInt(number) });

function query(text: string, args: GqlArguments = {}): Query {
  const bound = bindGql(parseGql(text, { dialect: 'python' }), args, { projectId: 'app', databaseId: '', namespace: 'ns' });
  if (bound.kind !== 'query') throw new Error('not a query');
  return bound.query;
}

const valueIn = (operand: string, args: GqlArguments = {}): Value | undefined => {
  const { filter } = query(`SELECT * FROM T WHERE a = ${operand}`, args);
  return filter?.kind === 'property' ? filter.value : undefined;
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

describe('Python GQL', () => {
  it('is bound like Cloud GQL', () => {
    const key: Value = { kind: 'key', value: { projectId: 'app', databaseId: '', namespace: 'ns', path: [{ kind: 'A', id: 1n }] } };
    const text =
      'SELECT DISTINCT a, b.c FROM T WHERE ANCESTOR IS :1 AND a != :x AND b IN (1, :2) ORDER BY a DESC LIMIT 10, 5 HINT ORDER_FIRST;';
    expect(query(text, { positional: [value(key), integer(2)], named: { x: integer(3) } })).toEqual({
      databaseId: '',
      namespace: 'ns',
      entityKind: 'T',
      projection: ['a', 'b.c'],
      distinctOn: ['a', 'b.c'],
      filter: {
        kind: 'and',
        filters: [
          { kind: 'property', property: '__key__', operator: 'has-ancestor', value: key },
          { kind: 'property', property: 'a', operator: '!=', value: { kind: 'integer', value: 3n } },
          {
            kind: 'property',
            property: 'b',
            operator: 'in',
            value: {
              kind: 'array',
              values: [
                { kind: 'integer', value: 1n },
                { kind: 'integer', value: 2n },
              ],
            },
          },
        ],
      },
      orders: [{ property: 'a', direction: 'desc' }],
      limit: 5,
      offset: 10,
    });
  });

  it('does not strip a kind from a property', () => {
    expect(query('SELECT T.a FROM T').projection).toEqual(['T.a']);
  });

  it('finds nothing in an empty list, as the SDK does', () => {
    expect(
      query('SELECT a, b FROM T WHERE a IN :1 AND b = 2 ORDER BY c LIMIT 5', { positional: [value({ kind: 'array', values: [] })] }),
    ).toEqual({ databaseId: '', namespace: 'ns', entityKind: 'T', orders: [], limit: 0, offset: 0 });
  });

  it.each<[string, GqlArguments, string, string]>([
    ['SELECT __key__, a FROM T', {}, 'GQL_SYNTAX', '__key__ is selected alone.'],
    [
      "SELECT * WHERE ANCESTOR IS KEY('A', 1) AND ANCESTOR IS KEY('A', 2)",
      {},
      'GQL_SYNTAX',
      'A query has one ancestor. At line 1, column 44:',
    ],
    ['SELECT * WHERE ANCESTOR IS :1', { positional: [integer(1)] }, 'GQL_BIND', 'position 1, found "integer", want "key"'],
    ['SELECT * WHERE ANCESTOR IS DATE(2024, 1, 1)', {}, 'GQL_SYNTAX', 'An ancestor is a key'],
    ['SELECT * WHERE a IN :x', { named: { x: integer(1) } }, 'GQL_BIND', 'name "x", found "integer", want "array"'],
    ['SELECT * LIMIT -1', {}, 'GQL_SYNTAX', 'Limit must be non-negative.'],
    ['SELECT * WHERE a = :1', {}, 'GQL_BIND', 'Absent positional binding: 1. The statement uses :1'],
  ])('refuses %s', (text, args, code, reason) => {
    const error = errorOf(() => query(text, args));
    expect(error.code).toBe(code);
    expect(error.message).toContain(reason);
  });
});

describe('casts', () => {
  const micros = (iso: string): Value => ({ kind: 'timestamp', micros: BigInt(Date.parse(iso)) * 1000n });

  it.each<[string, Value]>([
    ["DATE('2024-02-29')", micros('2024-02-29T00:00:00Z')],
    ['DATE(2024, 2, 29)', micros('2024-02-29T00:00:00Z')],
    ["DATETIME('2024-02-29 18:30:05')", micros('2024-02-29T18:30:05Z')],
    ['DATETIME(2024, 2, 29)', micros('2024-02-29T00:00:00Z')],
    ['DATETIME(2024, 2, 29, 18, 30, 5, 7000)', micros('2024-02-29T18:30:05.007Z')],
    ["TIME('18:30:05')", micros('1970-01-01T18:30:05Z')],
    ['TIME(18)', micros('1970-01-01T18:00:00Z')],
    ['TIME(18, 30, 5, 7000)', micros('1970-01-01T18:30:05.007Z')],
    ['GEOPT(52.5, -13)', { kind: 'geoPoint', latitude: 52.5, longitude: -13 }],
    ["GEOPT('52.5,-13.25')", { kind: 'geoPoint', latitude: 52.5, longitude: -13.25 }],
    [
      "KEY('A', 1, 'B', 'x')",
      {
        kind: 'key',
        value: {
          projectId: 'app',
          databaseId: '',
          namespace: 'ns',
          path: [
            { kind: 'A', id: 1n },
            { kind: 'B', name: 'x' },
          ],
        },
      },
    ],
    [
      "KEY('agR0ZXN0chILEgdBY2NvdW50IgVzYW5keQw')",
      { kind: 'key', value: { projectId: 'test', databaseId: '', namespace: '', path: [{ kind: 'Account', name: 'sandy' }] } },
    ],
    [
      "USER('ann@example.com')",
      {
        kind: 'entity',
        meaning: 20,
        value: {
          properties: {
            email: { kind: 'string', value: 'ann@example.com', excludeFromIndexes: true },
            auth_domain: { kind: 'string', value: 'gmail.com', excludeFromIndexes: true },
          },
        },
      },
    ],
  ])('%s', (operand, expected) => {
    expect(valueIn(operand)).toEqual(expected);
  });

  it('take arguments', () => {
    expect(valueIn('DATE(:1, :2, 29)', { positional: [integer(2024), integer(2)] })).toEqual(micros('2024-02-29T00:00:00Z'));
  });

  it.each([
    ["DATE('2023-02-29')", 'unable to cast ["2023-02-29"] with operation DATE (there is no such date or time)'],
    ['DATE(2024, 1)', 'unable to cast [2024, 1] with operation DATE (takes YYYY-MM-DD or three integers)'],
    ['DATE(2024.0, 1, 1)', 'takes YYYY-MM-DD or three integers'],
    ['DATE(9223372036854775807, 1, 1)', 'there is no such date'],
    ['DATETIME(1, 2, 3, 4, 5, 6, 7, 8)', 'takes YYYY-MM-DD HH:MM:SS'],
    ['TIME(24)', 'there is no such date or time'],
    ['TIME()', 'takes HH:MM:SS'],
    ['GEOPT(91, 0)', 'latitude'],
    ['GEOPT(0, 181)', 'longitude'],
    ["GEOPT('x')", 'takes a latitude and a longitude'],
    ["KEY('not a key')", 'this is no encoded key'],
    ["KEY('A', 1, 'B')", 'kinds and ids in turn'],
    ["KEY('A', 0)", 'an integer above 0'],
    ['USER(5)', 'e-mail'],
  ])('refuse %s at its place', (operand, reason) => {
    const error = errorOf(() => valueIn(operand));
    expect(error.code).toBe('GQL_SYNTAX');
    expect(error.message).toContain('Type Cast Error');
    expect(error.message).toContain(reason);
    expect(error.details).toMatchObject({ line: 1, column: 27 });
  });

  it('name the argument that did not fit', () => {
    const error = errorOf(() => valueIn('TIME(:1)', { positional: [integer(25)] }));
    expect(error.code).toBe('GQL_BIND');
    expect(error.message).toBe(
      'Cannot bind GQL argument: position 1: Type Cast Error: unable to cast [25] with operation TIME (there is no such date or time)',
    );
  });
});
