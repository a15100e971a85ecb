// Properties of whole statements, generated and mutated. GQL_SEED repeats a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import {
  type Aggregation,
  type AggregationItem,
  type Binding,
  type Condition,
  type GqlDialect,
  type GqlStatement,
  type GqlValue,
  type Name,
  type Place,
  type PlainLiteral,
  type Position,
  type Property,
  type Select,
  type Selection,
} from './ast.ts';
import { bindGql, type GqlArgument } from './bind.ts';
import { formatGql } from './format.ts';
import { parseGql } from './parse.ts';

const seed = Number(process.env['GQL_SEED'] ?? Date.now() % 2 ** 31);
console.info(`GQL_SEED=${seed}`);

const at: Place = { line: 1, column: 1, start: 0, end: 0 };

function withoutPlaces(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutPlaces);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([name]) => name !== 'at')
      .map(([name, value]) => [name, withoutPlaces(value)]),
  );
}

function expectRoundTrip({ dialect, tree }: GqlStatement): void {
  const text = formatGql({ dialect, text: '', tree });
  const again = parseGql(text, { dialect });
  expect(withoutPlaces(again.tree)).toEqual(withoutPlaces(tree));
  expect(formatGql(again)).toBe(text);
}

const list = <T>(item: fc.Arbitrary<T>, minLength = 1): fc.Arbitrary<T[]> => fc.array(item, { minLength, maxLength: 3 });

/** The record without the properties that came out undefined. */
const present = <T extends object>(record: T): T =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;

const maybe = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(item, { nil: undefined });

const wild = fc.string({ unit: 'grapheme-composite', maxLength: 6 });
const telling = fc.constantFrom(
  'a',
  'T',
  'Task',
  '__key__',
  'Order',
  'select',
  'KEY',
  'over',
  'first',
  '$x',
  '5a',
  'a.b',
  'x y',
  "it's",
  '`',
  '"',
  'é',
);

function arbitraries(dialect: GqlDialect) {
  const python = dialect === 'python';
  const text = python ? wild.map((each) => each.replaceAll(/[\r\n]/g, '')) : fc.oneof(wild, fc.string({ unit: 'binary', maxLength: 6 }));
  const nameText = fc.oneof(telling, text).filter((each) => {
    return python ? /^(?:[^"\s]+|(?:[^"\s]+"[^"\s]+)+)$/u.test(each) && !/^"|"$|""/.test(each) : each !== '';
  });
  const name: fc.Arbitrary<Name> = nameText.map((each) => ({ name: each, at }));
  const property: fc.Arbitrary<Property> = (python ? nameText.map((each) => [each]) : list(nameText)).map((components) => ({
    components,
    at,
  }));
  const binding: fc.Arbitrary<Binding> = fc
    .oneof(fc.integer({ min: 1, max: 999_999 }), fc.constantFrom('x', 'name', '_y1', 'toString'))
    .map((each) => ({ kind: 'binding', name: each, at }));
  const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ kind: 'integer' as const, value, at }));
  const plain: fc.Arbitrary<PlainLiteral> = fc.oneof(
    integer,
    text.map((value) => ({ kind: 'string' as const, value, at })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ kind: 'double' as const, value, at })),
    fc.boolean().map((value) => ({ kind: 'boolean' as const, value, at })),
    fc.constant({ kind: 'null' as const, at }),
  );
  const operand = fc.oneof(binding, plain);
  const cast = fc.record({
    kind: fc.constant('cast' as const),
    name: fc.constantFrom('DATE', 'DATETIME', 'GEOPT', 'KEY', 'TIME', 'USER'),
    values: list(operand, 0),
    at: fc.constant(at),
  });
  const key = fc.record(
    {
      kind: fc.constant('key' as const),
      project: text,
      namespace: text,
      path: list(
        fc.record({
          entityKind: nameText,
          id: fc.oneof(
            integer.map(({ value }) => value),
            text,
          ),
          at: fc.constant(at),
        }),
      ),
      at: fc.constant(at),
    },
    { requiredKeys: ['kind', 'path', 'at'] },
  );
  const encoded = fc.record({ kind: fc.constantFrom('blob', 'datetime'), text, at: fc.constant(at) });
  const scalar: fc.Arbitrary<GqlValue> = python ? fc.oneof(operand, cast) : fc.oneof(operand, key, encoded);
  const array = list(scalar).map((items) => ({ kind: 'array' as const, items, at }));
  const comparator = fc.constantFrom('=', '<', '<=', '>', '>=', '!=');
  const value = python ? scalar : fc.oneof(scalar, array);
  const listOperator = fc.constantFrom('IN', 'NOT IN');
  const comparison = <T extends string, V>(operator: fc.Arbitrary<T>, right: fc.Arbitrary<V>) =>
    fc.record({ kind: fc.constant('comparison' as const), property, operator, value: right });

  const simple: fc.Arbitrary<Condition> = python
    ? fc.oneof(
        comparison(comparator, value),
        comparison(listOperator, fc.oneof(binding, array)),
        fc.record({ kind: fc.constant('ancestor' as const), value: fc.oneof(binding, cast), at: fc.constant(at) }),
      )
    : fc.oneof(
        comparison(fc.oneof(comparator, listOperator, fc.constantFrom('CONTAINS', 'HAS ANCESTOR')), value),
        fc.record({
          kind: fc.constant('reversed' as const),
          value,
          operator: fc.oneof(comparator, fc.constantFrom('IN', 'HAS DESCENDANT')),
          property,
        }),
        property.map((each) => ({ kind: 'is-null' as const, property: each })),
      );
  const junction = (kinds: readonly ('and' | 'or')[], part: fc.Arbitrary<Condition>): fc.Arbitrary<Condition> =>
    fc.record({ kind: fc.constantFrom(...kinds), conditions: list(part, 2) });
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: python
      ? fc.oneof(simple, junction(['and'], simple))
      : fc.oneof({ maxDepth: 3 }, simple, simple, junction(['and', 'or'], tie('condition'))),
  }));

  const position: fc.Arbitrary<Position> = python ? integer : fc.oneof(binding, integer);
  const selection: fc.Arbitrary<Selection> = fc
    .record({
      properties: maybe(list(property)),
      distinct: fc.boolean(),
      distinctOn: python ? fc.constant(undefined) : maybe(list(property)),
    })
    .map(({ properties, distinct, distinctOn }) =>
      present({ properties, distinctOn, distinct: distinct && properties !== undefined && distinctOn === undefined, at }),
    ) as fc.Arbitrary<Selection>;
  const select = fc
    .record({
      kind: fc.constant('select' as const),
      selection,
      from: maybe(name),
      where: maybe(condition),
      orders: list(fc.record({ property, direction: fc.constantFrom('asc', 'desc') }), 0),
      limit: maybe(
        python
          ? position.map((one) => ({ positions: [one] as const }))
          : fc.oneof(
              position.map((one) => ({ positions: [one] as const })),
              fc.tuple(position, position).map((positions) => ({ positions })),
            ),
      ),
      offset: maybe(python ? position.map((base) => ({ base })) : fc.record({ base: position, plus: maybe(position) }).map(present)),
      hint: python ? maybe(fc.constantFrom('ORDER_FIRST', 'FILTER_FIRST', 'ANCESTOR_FIRST')) : fc.constant(undefined),
      at: fc.constant(at),
    })
    .map(present) as fc.Arbitrary<Select>;
  const functions = list(
    fc
      .oneof(
        fc.record({ kind: fc.constant('count' as const), alias: maybe(name), at: fc.constant(at) }),
        fc.record({
          kind: fc.constant('count-up-to' as const),
          limit: integer.map((each) => each.value),
          alias: maybe(name),
          at: fc.constant(at),
        }),
        fc.record({ kind: fc.constantFrom('sum', 'avg'), property, alias: maybe(name), at: fc.constant(at) }),
      )
      .map(present),
  ) as fc.Arbitrary<AggregationItem[]>;
  const aggregation: fc.Arbitrary<Aggregation> = fc
    .record({ functions, over: select, simple: fc.boolean() })
    .map(({ functions: items, over, simple: isSimple }) => ({
      kind: 'aggregation',
      form: isSimple ? 'simple' : 'over',
      functions: items,
      over: isSimple
        ? (present({ kind: 'select', selection: { distinct: false, at }, from: over.from, where: over.where, orders: [], at }) as Select)
        : over,
      at,
    }));
  const tree = python ? select : fc.oneof(select, aggregation);
  return tree.map((each): GqlStatement => ({ dialect, text: '', tree: each }));
}

const cloud = arbitraries('cloud');
const python = arbitraries('python');

describe('printing', () => {
  it('and parsing gives the same Cloud statement', () => {
    fc.assert(fc.property(cloud, expectRoundTrip), { seed, numRuns: 1500 });
  });

  it('and parsing gives the same Python statement', () => {
    fc.assert(fc.property(python, expectRoundTrip), { seed, numRuns: 1500 });
  });
});

const FRAGMENTS = (
  'SELECT|*|FROM|WHERE|AND|OR|NOT|IN|IS|NULL|HAS|ANCESTOR|DESCENDANT|CONTAINS|ORDER|BY|ASC|DESC|LIMIT|OFFSET|FIRST|DISTINCT|ON|' +
  'COUNT|COUNT_UP_TO|SUM|AVG|AS|AGGREGATE|OVER|KEY|PROJECT|NAMESPACE|ARRAY|BLOB|DATETIME|DATE|TIME|USER|GEOPT|HINT|ORDER_FIRST|' +
  'TRUE|FALSE|(|)|,|.|+|-|=|==|<|<=|>|>=|!=|<>|;|@1|@2|@x|@c|:1|:x|:c|1|-1|+1|1.5|1e9|.5|5.|99999999999999999999|' +
  "'x'|\"y\"|`z`|'|\"|`|\\|'2024-01-01'|'2024-01-01T00:00:00Z'|a|b|T|Task|__key__|é|😀|\u00a0|\0|\n|\r\n|\t"
).split('|');

const soup = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 25 }).map((parts) => parts.join(' '));
const tightSoup = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 25 }).map((parts) => parts.join(''));
const mutated = fc
  .tuple(
    fc.oneof(cloud, python),
    fc.array(fc.tuple(fc.nat(1000), fc.nat(8), fc.constantFrom('', ' ', ...FRAGMENTS)), { minLength: 1, maxLength: 3 }),
  )
  .map(([statement, edits]) =>
    edits.reduce((text, [where, length, insert]) => {
      const start = where % (text.length + 1);
      return text.slice(0, start) + insert + text.slice(start + length);
    }, formatGql(statement)),
  );

const ARGUMENTS: readonly GqlArgument[] = [
  { kind: 'value', value: { kind: 'integer', value: 5n } },
  { kind: 'cursor', cursor: Uint8Array.of(1) },
];

/** Reads, binds and prints a text; what it does not accept must be a PlatformError that says where. */
function exercise(text: string): 'bound' | 'unbound' | 'refused' {
  let statement: GqlStatement;
  try {
    statement = parseGql(text);
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    expect(['GQL_SYNTAX', 'GQL_TOO_LARGE']).toContain(thrown.code);
    expect(thrown.message.split('\n')).toHaveLength(3);
    expect(Object.keys(thrown.details)).toEqual(['line', 'column']);
    return 'refused';
  }
  expectRoundTrip(statement);
  try {
    const [value, cursor] = ARGUMENTS;
    const named = { x: value, c: cursor } as Record<string, GqlArgument>;
    bindGql(statement, { named, positional: ARGUMENTS }, { projectId: 'p', databaseId: '', namespace: '' });
    return 'bound';
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    expect(['GQL_SYNTAX', 'GQL_BIND']).toContain(thrown.code);
    return 'unbound';
  }
}

describe('any text', () => {
  it.each([
    ['words in any order', soup, 2000],
    ['words without blanks', tightSoup, 1500],
    ['statements with mistakes', mutated, 3000],
    ['characters', fc.string({ unit: 'binary', maxLength: 60 }), 500],
  ] as const)('is read or refused with its place: %s', (_, texts, numRuns) => {
    const outcomes = { bound: 0, unbound: 0, refused: 0 };
    fc.assert(
      fc.property(texts, (text) => {
        outcomes[exercise(text)] += 1;
      }),
      { seed, numRuns },
    );
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
