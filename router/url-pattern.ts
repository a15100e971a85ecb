// One `url:` pattern of app.yaml, ready to match decoded paths, in time linear in the path.
// JavaScript's engine is several times faster but backtracks, so it runs only where backtracking is bounded.
import { assertNever } from '../sdk/support/assert.ts';
import { PatternProgram, type Groups, type StepBudget } from './url-pattern-program.ts';
import { parsePattern, type PatternNode } from './url-pattern-syntax.ts';

/** Attempts that a backtracking engine may make; 20,000 take about 0.1 ms. */
const BACKTRACKS_MAX = 20_000;

/** Attempts on a text of length n: factor · (n + 1)^degree. */
export interface BacktrackCost {
  readonly factor: number;
  readonly degree: number;
}

const UNBOUNDED: BacktrackCost = { factor: Infinity, degree: 0 };
const ONE: BacktrackCost = { factor: 1, degree: 0 };

export class UrlPattern {
  readonly #program: PatternProgram;
  readonly #cost: BacktrackCost;
  readonly #expression: RegExp;
  /** Set when the pattern is a catch-all: what a path must begin with. */
  readonly #catchAll: '' | '/' | undefined;

  /** Throws MANIFEST_INVALID when the text is not in the dialect. */
  constructor(text: string) {
    const parsed = parsePattern(text);
    this.#program = new PatternProgram(parsed);
    this.#cost = backtrackCost(parsed.root);
    // Anchored at both ends: App Engine matches the whole path.
    this.#expression = new RegExp(`^(?:${expressionSource(parsed.root)})$`);
    this.#catchAll = text === '/.*' ? '/' : text === '.*' ? '' : undefined;
  }

  /** The groups when the whole path matches. Throws ROUTE_BAD_REQUEST when the budget runs out. */
  match(path: string, budget: StepBudget): Groups | undefined {
    if (this.#catchAll !== undefined && path.startsWith(this.#catchAll) && !path.includes('\n')) return [path];
    if (this.#cost.factor * (path.length + 1) ** this.#cost.degree > BACKTRACKS_MAX) return this.#program.match(path, budget);
    const matched = this.#expression.exec(path);
    // A group that took no part is undefined whatever the types say.
    return matched ? Array.from(matched, (group: string | undefined) => group ?? '') : undefined;
  }
}

/** The pattern in JavaScript's syntax: written anew, since the dialects differ in details such as `[]]`. */
export function expressionSource(node: PatternNode): string {
  switch (node.kind) {
    case 'character':
      return `[${node.isNegated ? '^' : ''}${node.ranges.map(([low, high]) => `${codeUnit(low)}-${codeUnit(high)}`).join('')}]`;
    case 'start':
      return '^';
    case 'end':
      return '$';
    case 'group':
      return `(${node.group === undefined ? '?:' : ''}${expressionSource(node.body)})`;
    case 'sequence':
      return node.items.map(expressionSource).join('');
    case 'choice':
      return node.branches.map(expressionSource).join('|');
    case 'repeat': {
      // An assertion cannot be repeated without a group.
      const body = `(?:${expressionSource(node.body)})`;
      return `${body}{${node.min},${node.max === Infinity ? '' : node.max}}${node.isLazy ? '?' : ''}`;
    }
    default:
      return assertNever(node);
  }
}

function codeUnit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/** How often a backtracking engine may come back to one place, at worst. */
export function backtrackCost(node: PatternNode): BacktrackCost {
  switch (node.kind) {
    case 'character':
    case 'start':
    case 'end':
      return ONE;
    case 'group':
      return backtrackCost(node.body);
    case 'sequence':
      return node.items.map(backtrackCost).reduce(product, ONE);
    case 'choice':
      return node.branches.map(backtrackCost).reduce((sum, cost) => ({
        factor: sum.factor + cost.factor,
        degree: Math.max(sum.degree, cost.degree),
      }));
    case 'repeat':
      return repeatCost(node);
    default:
      return assertNever(node);
  }
}

function repeatCost(node: PatternNode & { readonly kind: 'repeat' }): BacktrackCost {
  const inner = backtrackCost(node.body);
  if (node.max === 1) return { factor: inner.factor + 1, degree: inner.degree };
  // Only a loop over single characters has one way to take a given text.
  if (node.body.kind !== 'character') return UNBOUNDED;
  return node.max === Infinity ? { factor: 1, degree: 1 } : { factor: node.max - node.min + 1, degree: 0 };
}

function product(left: BacktrackCost, right: BacktrackCost): BacktrackCost {
  return { factor: left.factor * right.factor, degree: left.degree + right.degree };
}
