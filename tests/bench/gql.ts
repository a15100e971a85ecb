// GQL: reading a statement, binding it, and both from the cache, for statements of several sizes. The peer is an SQL parser in
// JavaScript, CodeMirror's Lezer parser (LR, tables made ahead), reading the same query as SQL; it makes a syntax tree with
// places, and neither values nor names. The two take turns, so that the machine's mood falls on both.
//
//   npx tsx tests/bench/gql.ts
import { StandardSQL } from '@codemirror/lang-sql';
import { bindGql, type GqlArguments } from '../../gql/bind.ts';
import { parseGql } from '../../gql/parse.ts';
import { GqlCache } from '../../gql/statement-cache.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

const ROUNDS = 400;
/** Calls timed together: one call takes less than the clock's grain. */
const CALLS = 10;
const PEER = 'Lezer, the same as SQL';
const BUDGET_MICROS = 1_000;

interface Statement {
  readonly name: string;
  readonly gql: string;
  readonly sql: string;
  readonly args: GqlArguments;
}

const value = (text: string): { readonly kind: 'value'; readonly value: { readonly kind: 'string'; readonly value: string } } => ({
  kind: 'value',
  value: { kind: 'string', value: text },
});
const numbered = (count: number, joint: string, one: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => one(at)).join(joint);

const STATEMENTS: readonly Statement[] = [
  { name: 'small, 22 bytes', gql: 'SELECT * FROM Greeting', sql: 'SELECT * FROM Greeting', args: {} },
  {
    name: 'usual, 100 bytes',
    gql: 'SELECT * FROM Greeting WHERE author = @author AND date > @since ORDER BY date DESC LIMIT 10 OFFSET 20',
    sql: 'SELECT * FROM Greeting WHERE author = :author AND date > :since ORDER BY date DESC LIMIT 10 OFFSET 20',
    args: { named: { author: value('ann'), since: value('2020') } },
  },
  {
    name: 'rich, 190 bytes',
    gql: `SELECT * FROM Book WHERE (genre = 'crime' OR genre = 'noir') AND year >= 1930 AND tags CONTAINS 'new' AND state IN ARRAY('open', 'lent') ORDER BY year DESC, title LIMIT 20`,
    sql: `SELECT * FROM Book WHERE (genre = 'crime' OR genre = 'noir') AND year >= 1930 AND tags = 'new' AND state IN ('open', 'lent') ORDER BY year DESC, title LIMIT 20`,
    args: {},
  },
  {
    name: 'long, 60 conditions',
    gql: `SELECT * FROM T WHERE ${numbered(60, ' AND ', (at) => `property${at} = ${at}`)}`,
    sql: `SELECT * FROM T WHERE ${numbered(60, ' AND ', (at) => `property${at} = ${at}`)}`,
    args: {},
  },
];

const CONTEXT = { projectId: 'bench', databaseId: '', namespace: '' };

/** Microseconds of each call at the given share of all rounds. */
function quantile(micros: readonly number[], share: number): number {
  const sorted = [...micros].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function timed(action: () => unknown): number {
  const startMs = performance.now();
  for (let call = 0; call < CALLS; call++) action();
  return ((performance.now() - startMs) * 1_000) / CALLS;
}

export function run(): Promise<BenchTable> {
  const rows = STATEMENTS.flatMap(({ name, gql, sql, args }): readonly BenchRow[] => {
    const cache = new GqlCache();
    const parsed = parseGql(gql);
    const actions: Readonly<Record<string, () => unknown>> = {
      'read and bind': () => bindGql(parseGql(gql), args, CONTEXT),
      'bind alone': () => bindGql(parsed, args, CONTEXT),
      'read from the cache and bind': () => bindGql(cache.parse(gql), args, CONTEXT),
    };
    const peer = (): unknown => StandardSQL.language.parser.parse(sql);
    for (const action of [...Object.values(actions), peer]) for (let round = 0; round < ROUNDS; round++) action();
    const ours = new Map(Object.keys(actions).map((what) => [what, [] as number[]]));
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [what, action] of Object.entries(actions)) ours.get(what)?.push(timed(action));
      theirs.push(timed(peer));
    }
    const row = (what: string, micros: readonly number[], share: number, budget?: string): BenchRow => {
      const [our, their] = [quantile(micros, share), quantile(theirs, share)];
      return {
        name: `${name}: ${what}, p${share * 100}`,
        unit: 'µs',
        ours: our,
        peer: their,
        peerName: PEER,
        ratio: our / their,
        ...(budget === undefined ? {} : { budget }),
      };
    };
    return [...ours].flatMap(([what, micros]) => [
      row(what, micros, 0.5, what === 'read and bind' && gql.length < 500 ? `≤ ${BUDGET_MICROS} µs` : undefined),
      row(what, micros, 0.99),
    ]);
  });
  return Promise.resolve({ title: 'GQL: text to bound query', rows });
}

if (process.argv[1] === import.meta.filename) printTable(await run());
