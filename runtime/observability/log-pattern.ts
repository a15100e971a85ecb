// A regular expression that rows of a log are searched for: the owner writes it, but what it runs over is an app's own
// text, so time must be linear in that whatever both are (security: 6). The syntax is that of `url:` patterns, plus (?i).
import { PatternProgram } from '../../router/url-pattern-program.ts';
import { backtrackCost, type BacktrackCost, expressionSource } from '../../router/url-pattern.ts';
import { type CharacterRanges, parsePattern, type PatternNode } from '../../router/url-pattern-syntax.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { assertNever } from '../../sdk/support/assert.ts';

/** Attempts that a backtracking engine may make on one text; they take about 2 ms. Beyond, the linear engine runs. */
const BACKTRACKS_MAX = 400_000;
const IGNORE_CASE = '(?i)';
const CASE_DISTANCE = 32;

export class LogPattern {
  readonly #program: PatternProgram;
  readonly #cost: BacktrackCost;
  readonly #expression: RegExp;

  /** Throws INVALID_ARGUMENT with the column when the text is not in the dialect, or too large. */
  constructor(text: string) {
    const ignoresCase = text.startsWith(IGNORE_CASE);
    const root = plain(parsed(ignoresCase ? text.slice(IGNORE_CASE.length) : text), ignoresCase);
    const anything: PatternNode = { kind: 'repeat', body: ANYTHING, min: 0, max: Infinity, isLazy: true };
    this.#program = program({ kind: 'sequence', items: [anything, root, anything] });
    this.#cost = backtrackCost(root);
    this.#expression = new RegExp(expressionSource(root));
  }

  /** Whether it is anywhere in `text`. */
  isIn(text: string): boolean {
    // One degree more than anchored: it may begin anywhere.
    const attempts = this.#cost.factor * (text.length + 1) ** (this.#cost.degree + 1);
    if (attempts <= BACKTRACKS_MAX) return this.#expression.test(text);
    return this.#program.match(text, { steps: Infinity }) !== undefined;
  }
}

const ANYTHING: PatternNode = { kind: 'character', ranges: [], isNegated: true };

function parsed(text: string): PatternNode {
  return refused(() => parsePattern(text).root);
}

function program(root: PatternNode): PatternProgram {
  return refused(() => new PatternProgram({ root, groups: 0 }));
}

function refused<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof PlatformError)) throw cause;
    const { column } = cause.details;
    const why = cause.message.slice(cause.message.lastIndexOf(': ') + 2);
    throw new PlatformError('INVALID_ARGUMENT', `"regex"${typeof column === 'number' ? `, column ${column}` : ''}: ${why}`, { cause });
  }
}

/** Without captures, which nobody reads; with `ignoresCase` each ASCII letter stands for both its cases. */
function plain(node: PatternNode, ignoresCase: boolean): PatternNode {
  switch (node.kind) {
    case 'character':
      return ignoresCase
        ? {
            ...node,
            ranges: [...node.ranges, ...otherCase(node.ranges, 'A', -CASE_DISTANCE), ...otherCase(node.ranges, 'a', CASE_DISTANCE)],
          }
        : node;
    case 'start':
    case 'end':
      return node;
    case 'sequence':
      return { ...node, items: node.items.map((item) => plain(item, ignoresCase)) };
    case 'choice':
      return { ...node, branches: node.branches.map((branch) => plain(branch, ignoresCase)) };
    case 'group':
      return { kind: 'group', body: plain(node.body, ignoresCase) };
    case 'repeat':
      return { ...node, body: plain(node.body, ignoresCase) };
    default:
      return assertNever(node);
  }
}

const LETTERS = 26;

/** The letters of the alphabet that begins at `to` whose twins, `distance` before them, are in the ranges. */
function otherCase(ranges: CharacterRanges, to: 'A' | 'a', distance: number): CharacterRanges {
  const first = to.charCodeAt(0) - distance;
  return ranges.flatMap(([low, high]): CharacterRanges => {
    const from = Math.max(low, first);
    const end = Math.min(high, first + LETTERS - 1);
    return from <= end ? [[from + distance, end + distance]] : [];
  });
}
