// The compiled grammar run over tokens: a tree, or the token that does not fit and what would have. The only file
// that knows nearley.
import nearley from 'nearley';
import { type Aggregation, type Select } from './ast.ts';
import { settle } from './chain.ts';
import { grammar as compiled } from './grammar.generated.ts';
import { TokenFeed, type Token } from './token.ts';

/** Entry points of gql.ne. */
export type EntryPoint = 'cloud' | 'python';

const GRAMMARS: Readonly<Record<EntryPoint, nearley.Grammar>> = {
  cloud: nearley.Grammar.fromCompiled({ ...compiled, ParserStart: 'cloud' }),
  python: nearley.Grammar.fromCompiled({ ...compiled, ParserStart: 'python' }),
};

/** Where a statement stops making sense. */
export interface Misfit {
  readonly found: Token;
  readonly before: Token | undefined;
  /** Labels of what could stand there, most telling first. */
  readonly expected: readonly string[];
}

export type EarleyResult = { readonly tree: Select | Aggregation } | { readonly misfit: Misfit };

/** Runs the grammar over tokens that end in one of type `end`. Linear in their number for all lists of gql.ne. */
export function runGrammar(entry: EntryPoint, tokens: readonly Token[]): EarleyResult {
  const words = tokens.slice(0, -1);
  const parser = new StrictParser(GRAMMARS[entry], { lexer: new TokenFeed(words) });
  try {
    parser.feed('');
  } catch (thrown) {
    if (thrown !== DEAD_END) throw thrown;
    return { misfit: misfitAt(tokens, parser) };
  }
  const drafts = parser.results as readonly unknown[];
  if (drafts.length > 1) throw new Error(`Broken invariant: a GQL statement has ${drafts.length} readings`);
  if (drafts.length === 0) return { misfit: misfitAt(tokens, parser) };
  return { tree: settle(drafts[0]) as Select | Aggregation };
}

/** One for all: it is caught at once, and a stack would cost as much as parsing. */
const DEAD_END = new Error('the grammar has no way to go on');

/** nearley explains an error by walking all its states, which can take long; ours is explained in misfitAt. */
class StrictParser extends nearley.Parser {
  reportError(): never {
    throw DEAD_END;
  }
}

/** What nearley keeps of a state, and has no types for. */
interface EarleyState {
  readonly rule: { readonly name: string; readonly symbols: readonly unknown[] };
  readonly dot: number;
  readonly reference: number;
  readonly isComplete: boolean;
}

function misfitAt(tokens: readonly Token[], parser: nearley.Parser): Misfit {
  const column = parser.save();
  const states = column['states'] as readonly EarleyState[];
  const scannable = column['scannable'] as readonly EarleyState[];
  const index = column['index'] as number;
  const labels = new Set(scannable.flatMap((state) => labelsOf(state.rule.symbols[state.dot], parser.grammar.start)));
  if (states.some((state) => state.isComplete && state.reference === 0 && state.rule.name === parser.grammar.start)) labels.add('<EOF>');
  const expected = [...labels].sort((one, other) => rankOf(one) - rankOf(other));
  const found = tokens[index];
  if (found === undefined) throw new Error('Broken invariant: the parser is past the end of the statement');
  return { found, before: tokens[index - 1], expected };
}

const rankOf = (label: string): number => (label === '<EOF>' ? 0 : /^"[A-Z]/.test(label) ? 1 : label.startsWith('<') ? 2 : 3);

function labelsOf(symbol: unknown, start: string): readonly string[] {
  if (typeof symbol !== 'object' || symbol === null) return [];
  if ('literal' in symbol) return [`"${String(symbol.literal)}"`];
  switch ('type' in symbol ? symbol.type : undefined) {
    case 'name':
      return ['<UNQUOTED_NAME>'];
    case 'quotedName':
      return ['<QUOTED_NAME>'];
    case 'string':
      return start === 'cloud' ? ['<SINGLE_QUOTE_STRING>', '<DOUBLE_QUOTE_STRING>'] : ['<SINGLE_QUOTE_STRING>'];
    case 'integer':
      return ['<INTEGER>'];
    case 'double':
      return ['<DOUBLE>'];
    case 'binding':
      return ['<BINDING>'];
    default:
      return [];
  }
}
