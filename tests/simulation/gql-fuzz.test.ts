// GQL under 100,000 statements that are right, nearly right, or nonsense: each is read and bound, or refused with its place, in
// time; none crashes, and what is read prints and reads back as the same. GQL_SEED repeats a run.
import { describe, expect, it } from 'vitest';
import { bindGql, type GqlArgument, type GqlArguments } from '../../gql/bind.ts';
import { formatGql } from '../../gql/format.ts';
import { parseGql } from '../../gql/parse.ts';
import { type GqlStatement } from '../../gql/ast.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Random } from '../../sdk/support/clock.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { StatementMaker } from './gql-statements.ts';

const SEED = Number(process.env['GQL_SEED'] ?? Date.now() % 2 ** 31);
const STATEMENTS = 100_000;
const STATEMENT_MS_MAX = 100;
/** A slow statement is timed this often before it counts: the machine may have been busy. */
const TRIES = 8;
const CODES_OF_BIND = ['GQL_BIND', 'GQL_SYNTAX'];

/** What a terminal would obey. */
const CONTROL = /[\p{Cc}\p{Cf}]/u;

const VALUES: readonly Value[] = [
  { kind: 'null' },
  { kind: 'integer', value: 5n },
  { kind: 'integer', value: -(2n ** 63n) },
  { kind: 'double', value: NaN },
  { kind: 'string', value: '\ud83d' },
  { kind: 'string', value: 'agNhcHByBwsSAVQYBQw' },
  { kind: 'boolean', value: true },
  { kind: 'timestamp', micros: 0n },
  { kind: 'blob', value: Uint8Array.of(0, 255) },
  { kind: 'geoPoint', latitude: 1, longitude: 2 },
  { kind: 'key', value: { projectId: '', databaseId: '', namespace: '', path: [{ kind: 'P', id: 1n }] } },
  { kind: 'array', values: [] },
  { kind: 'array', values: [{ kind: 'integer', value: 1n }] },
  { kind: 'entity', value: { properties: {} } },
];

const CURSOR: GqlArgument = { kind: 'cursor', cursor: Uint8Array.of(1) };
const FITTING: Readonly<Record<string, GqlArgument>> = {
  x: { kind: 'value', value: { kind: 'integer', value: 5n } },
  n$9: { kind: 'value', value: { kind: 'string', value: 'x' } },
  k: { kind: 'value', value: { kind: 'key', value: { projectId: '', databaseId: '', namespace: '', path: [{ kind: 'P', id: 1n }] } } },
  list: { kind: 'value', value: { kind: 'array', values: [{ kind: 'integer', value: 1n }] } },
  c: CURSOR,
};

/** Half of the time what the statement wants, else anything. */
function argumentsFor(text: string, random: Random): GqlArguments {
  const any = (): GqlArgument => {
    const value = VALUES[Math.floor(random.fraction() * (VALUES.length + 2))];
    return value ? { kind: 'value', value } : CURSOR;
  };
  if (random.fraction() < 0.5) {
    const named = Object.fromEntries(Object.keys(FITTING).map((name) => [name, any()]));
    return { named, positional: Array.from({ length: Math.floor(random.fraction() * 4) }, any) };
  }
  const positions = [...text.matchAll(/[@:]([1-9])(?!\d)/g)].map(([, digit]) => Number(digit));
  return { named: FITTING, positional: Array.from({ length: Math.max(0, ...positions) }, () => FITTING['x'] ?? any()) };
}

/** Equal but for places. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return Object.is(one, other);
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [left, right] = [one, other] as Readonly<Record<string, unknown>>[];
  const names = Object.keys(left ?? {}).filter((name) => name !== 'at');
  if (names.length !== Object.keys(right ?? {}).filter((name) => name !== 'at').length) return false;
  return names.every((name) => isSame(left?.[name], right?.[name]));
}

type Outcome = 'bound' | 'unbound' | 'refused';

/** Throws what no caller should see. */
function exercise(text: string, args: GqlArguments): Outcome {
  let statement: GqlStatement;
  try {
    statement = parseGql(text);
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    if (thrown.code !== 'GQL_SYNTAX' && thrown.code !== 'GQL_TOO_LARGE') throw thrown;
    if (thrown.code === 'GQL_SYNTAX') checkPlace(thrown, text);
    return 'refused';
  }
  try {
    bindGql(statement, args, { projectId: 'p', databaseId: '', namespace: '' });
    return 'bound';
  } catch (thrown) {
    if (!(thrown instanceof PlatformError) || !CODES_OF_BIND.includes(thrown.code)) throw thrown;
    if (thrown.code === 'GQL_SYNTAX') checkPlace(thrown, text);
    else if (CONTROL.test(thrown.message)) throw thrown;
    return 'unbound';
  }
}

function checkPlace(error: PlatformError, text: string): void {
  const { line, column } = error.details;
  const lines = text.split(/\r\n|\n|\r/);
  const shown = error.message.split('\n');
  const isPlace =
    typeof line === 'number' &&
    typeof column === 'number' &&
    line >= 1 &&
    line <= lines.length &&
    column >= 1 &&
    column <= (lines[line - 1]?.length ?? 0) + 1 &&
    shown.length === 3 &&
    /^ {2,}\^$/.test(shown[2] ?? '') &&
    !shown.some((one) => CONTROL.test(one));
  if (!isPlace) throw new Error(`no place of the statement: ${JSON.stringify(error.message)}`, { cause: error });
}

function checkRoundTrip(text: string): void {
  const statement = parseGql(text);
  const printed = formatGql(statement);
  let again: GqlStatement;
  try {
    again = parseGql(printed, { dialect: statement.dialect });
  } catch (cause) {
    // Printing quotes and spells out: a statement near the limits may pass them.
    if (cause instanceof PlatformError && cause.code === 'GQL_TOO_LARGE') return;
    throw cause;
  }
  if (!isSame(again.tree, statement.tree)) throw new Error(`reads back as another statement: ${printed}`);
}

/** The milliseconds are the best of several tries once it was slow. */
function timed(action: () => Outcome): { readonly outcome: Outcome; readonly ms: number } {
  let ms = Infinity;
  let outcome: Outcome = 'refused';
  for (let round = 0; round < TRIES && ms > STATEMENT_MS_MAX; round++) {
    const startMs = performance.now();
    outcome = action();
    ms = Math.min(ms, performance.now() - startMs);
  }
  return { outcome, ms };
}

describe('GQL', () => {
  it('reads or refuses any text, and quickly', { timeout: 300_000 }, () => {
    console.info(`GQL_SEED=${SEED}`);
    const random = new SeededRandom(SEED);
    const maker = new StatementMaker(random);
    const outcomes = { bound: 0, unbound: 0, refused: 0 };
    let slowestMs = 0;
    for (let at = 0; at < STATEMENTS; at++) {
      const text = maker.next();
      const args = argumentsFor(text, random);
      try {
        const { outcome, ms } = timed(() => exercise(text, args));
        slowestMs = Math.max(slowestMs, ms);
        if (ms > STATEMENT_MS_MAX) throw new Error(`it took ${ms} ms`);
        if (outcome !== 'refused') checkRoundTrip(text);
        outcomes[outcome] += 1;
      } catch (cause) {
        throw new Error(`statement ${at} of GQL_SEED=${SEED}, ${JSON.stringify(text)}: ${String(cause)}`, { cause });
      }
    }
    console.info(`${JSON.stringify(outcomes)}, the slowest took ${slowestMs.toFixed(1)} ms`);
    // The generator must go on making statements of every kind.
    expect(outcomes.bound).toBeGreaterThan(STATEMENTS / 20);
    expect(outcomes.unbound).toBeGreaterThan(STATEMENTS / 20);
    expect(outcomes.refused).toBeGreaterThan(STATEMENTS / 5);
  });
});
