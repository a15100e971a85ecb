// GQL text → statement. Size and depth are checked before the grammar runs, so that no text can keep it busy.
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type GqlDialect, type GqlStatement } from './ast.ts';
import { runGrammar, type Misfit } from './earley.ts';
import { hintFor } from './hint.ts';
import { tokenize } from './lexer.ts';
import { refusalAt, syntaxError } from './refusal.ts';
import { type Token } from './token.ts';

export interface ParseOptions {
  /** `auto` (the default) reads Cloud GQL, and Python GQL where only that makes sense of the text. */
  readonly dialect?: GqlDialect | 'auto';
}

/**
 * Throws GQL_TOO_LARGE beyond gqlStatementBytesMax bytes of UTF-8, gqlTokensMax words or gqlDepthMax parentheses, and
 * GQL_SYNTAX for the first thing that does not fit, with `line` and `column` in the details. With `auto` the error is that of the dialect that
 * understood more of the text.
 */
export function parseGql(text: string, options: ParseOptions = {}): GqlStatement {
  assertSize(text);
  const dialect = options.dialect ?? 'auto';
  const first = attempt(text, dialect === 'auto' ? 'cloud' : dialect);
  if ('statement' in first) return first.statement;
  if (dialect !== 'auto') throw first.error();
  const second = attempt(text, 'python');
  if ('statement' in second) return second.statement;
  throw second.reached > first.reached ? second.error() : first.error();
}

function assertSize(text: string): void {
  const bytes = text.length > LIMITS.gqlStatementBytesMax ? text.length : Buffer.byteLength(text);
  if (bytes <= LIMITS.gqlStatementBytesMax) return;
  throw new PlatformError('GQL_TOO_LARGE', `at least ${bytes} bytes; the limit is ${LIMITS.gqlStatementBytesMax}`);
}

type Attempt = { readonly statement: GqlStatement } | { readonly error: () => PlatformError; readonly reached: number };

function attempt(text: string, dialect: GqlDialect): Attempt {
  const tokens = tokenize(text, dialect);
  assertBounds(text, tokens);
  const result = runGrammar(dialect, tokens);
  if ('tree' in result) return { statement: Object.freeze({ dialect, text, tree: result.tree }) };
  // The Python SDK reads a statement that fails once more with no word reserved: `SELECT * FROM Order`.
  const again = dialect === 'python' ? runGrammar(dialect, tokenize(text, dialect, { reserveWords: false })) : result;
  if ('tree' in again) return { statement: Object.freeze({ dialect, text, tree: again.tree }) };
  return { error: () => misfitError(text, result.misfit, dialect), reached: result.misfit.found.at.start };
}

function assertBounds(text: string, tokens: readonly Token[]): void {
  const surplus = tokens[LIMITS.gqlTokensMax];
  if (surplus !== undefined && surplus.type !== 'end') throw tooLarge(text, surplus, `More than ${LIMITS.gqlTokensMax} words and signs`);
  let depth = 0;
  for (const token of tokens) {
    if (token.type !== 'symbol') continue;
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (depth > LIMITS.gqlDepthMax) throw tooLarge(text, token, `More than ${LIMITS.gqlDepthMax} nested parentheses`);
  }
}

function tooLarge(text: string, { at }: Token, reason: string): PlatformError {
  return refusalAt('GQL_TOO_LARGE', text, at, `${reason} at line ${at.line}, column ${at.column}.`);
}

const EXPECTED_SHOWN_MAX = 12;
const FOUND_SHOWN_MAX = 40;

// In the words of Google's own parser, which people search for.
function misfitError(text: string, { found, before, expected }: Misfit, dialect: GqlDialect): PlatformError {
  if (found.problem !== undefined) return syntaxError(text, found.at, found.problem);
  const hint = hintFor(found, before, expected, dialect);
  const shown = expected.length > EXPECTED_SHOWN_MAX ? [...expected.slice(0, EXPECTED_SHOWN_MAX), '…'] : expected;
  const written = found.type === 'end' ? found.text : text.slice(found.at.start, found.at.end);
  const cut = written.length > FOUND_SHOWN_MAX ? `${written.slice(0, FOUND_SHOWN_MAX)}…` : written;
  const reason = [
    `Encountered ${JSON.stringify(cut)} at line ${found.at.line}, column ${found.at.column}.`,
    `Was expecting${shown.length > 1 ? ' one of' : ''}: ${shown.join(', ')}.`,
    ...(hint === undefined ? [] : [hint]),
  ].join(' ');
  return refusalAt('GQL_SYNTAX', text, found.at, reason);
}
