// How the conformance tests of the dialects write their rows: what a statement is bound to, or what it is refused with.
import { expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Value } from '../sdk/contract/entity.ts';
import { type Key } from '../sdk/contract/key.ts';
import { type Filter } from '../sdk/contract/query.ts';
import { type GqlDialect } from './ast.ts';
import { bindGql, type BindContext, type GqlArgument, type GqlArguments } from './bind.ts';
import { parseGql } from './parse.ts';

export const HOME: BindContext = { projectId: 'app', databaseId: '', namespace: 'here' };
export const CURSOR = Uint8Array.of(7);

export const keyOf = (...parts: readonly (string | bigint)[]): Key => ({
  projectId: 'app',
  databaseId: '',
  namespace: 'here',
  path: parts.flatMap((kind, at) => {
    const id = parts[at + 1];
    if (at % 2 === 1 || id === undefined) return [];
    return [typeof id === 'bigint' ? { kind: String(kind), id } : { kind: String(kind), name: id }];
  }),
});

/** Values in short: integers are bigint, doubles number. */
type Short = string | bigint | number | boolean | null | Key | Uint8Array | readonly Short[];

function long(short: Short): Value {
  if (short === null) return { kind: 'null' };
  if (typeof short === 'string') return { kind: 'string', value: short };
  if (typeof short === 'bigint') return { kind: 'integer', value: short };
  if (typeof short === 'number') return { kind: 'double', value: short };
  if (typeof short === 'boolean') return { kind: 'boolean', value: short };
  if (short instanceof Uint8Array) return { kind: 'blob', value: short };
  if ('path' in short) return { kind: 'key', value: short };
  return { kind: 'array', values: short.map(long) };
}

export const argument = (short: Short): GqlArgument => ({ kind: 'value', value: long(short) });
export const cursor: GqlArgument = { kind: 'cursor', cursor: CURSOR };
export const named = (values: Readonly<Record<string, Short>>): GqlArguments => ({
  named: Object.fromEntries(Object.entries(values).map(([name, one]) => [name, argument(one)])),
});
export const positional = (...values: readonly Short[]): GqlArguments => ({ positional: values.map(argument) });

export const is = (property: string, operator: string, value: Short): Filter =>
  ({ kind: 'property', property, operator, value: long(value) }) as Filter;
export const micros = (text: string): Value => ({ kind: 'timestamp', micros: BigInt(Date.parse(text)) * 1000n });
export const timed = (property: string, operator: string, value: Value): Filter =>
  ({ kind: 'property', property, operator, value }) as Filter;

export function bound(text: string, dialect: GqlDialect, args: GqlArguments = {}, context: BindContext = HOME): unknown {
  const { kind, query } = bindGql(parseGql(text, { dialect }), args, context);
  return kind === 'query' ? query : { aggregations: query.aggregations, ...query.nested };
}

export function refusal(text: string, dialect: GqlDialect, args: GqlArguments = {}, context: BindContext = HOME): PlatformError {
  try {
    bound(text, dialect, args, context);
  } catch (thrown) {
    if (thrown instanceof PlatformError) return thrown;
    throw thrown;
  }
  throw new Error(`accepted: ${text}`);
}

/** The rule, the statement, what must be in the bound query, and the arguments. */
export type Valid = readonly [rule: string, text: string, wanted: object, args?: GqlArguments];
/** The rule, the statement, the code, words of the message, and the arguments. */
export type Invalid = readonly [
  rule: string,
  text: string,
  code: 'GQL_SYNTAX' | 'GQL_BIND' | 'GQL_TOO_LARGE',
  words?: string,
  args?: GqlArguments,
];

export const filter = (text: string): string => `SELECT * FROM T WHERE ${text}`;
export const filtered = (wanted: Filter): object => ({ entityKind: 'T', filter: wanted });

export function itConforms(dialect: GqlDialect, valid: readonly Valid[], invalid: readonly Invalid[]): void {
  it.each(valid.map(([rule, text, wanted, args]) => ({ rule, text, wanted, args })))('has $rule', ({ text, wanted, args }) => {
    expect(bound(text, dialect, args)).toMatchObject({ databaseId: '', namespace: 'here', ...wanted });
  });

  it.each(invalid.map(([rule, text, code, words = '', args]) => ({ rule, text, code, words, args })))(
    'refuses $rule',
    ({ text, code, words, args }) => {
      const error = refusal(text, dialect, args);
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
      const { line, column, argument: culprit } = error.details;
      if (code === 'GQL_BIND') {
        expect(typeof culprit).toBe('string');
        return;
      }
      expect([typeof line, typeof column]).toEqual(['number', 'number']);
      expect(error.message.split('\n').at(-1)).toMatch(/^ *\^$/);
    },
  );
}
