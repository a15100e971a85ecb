// Patterns of `handlers: url:`. The router matches them with JavaScript's backtracking engine on every request of
// every app, so a pattern that could make it work long is refused when the app is deployed: its worst case is worked
// out from the pattern alone, for a path of manifestPatternPathBytesMax characters.
//
// Where backtracking comes from: a repeat that can stop earlier or later because what follows it can also match what
// it repeats. Each such repeat multiplies the work behind it by the length of the path, each choice between
// alternatives that begin alike by their number.
import { LIMITS } from '../limits.ts';

/** Characters by code, 0 … 126; 127 stands for every other one. */
type Characters = ReadonlySet<number>;

type Piece =
  | { readonly kind: 'characters'; readonly characters: Characters; readonly min: number; readonly max: number }
  | { readonly kind: 'group'; readonly branches: readonly (readonly Piece[])[]; readonly min: number; readonly max: number };

const OTHER = 127;
const ALL: Characters = new Set(Array.from({ length: OTHER + 1 }, (_, code) => code));
const DIGIT = range(0x30, 0x39);
const WORD = union(DIGIT, union(range(0x41, 0x5a), union(range(0x61, 0x7a), new Set([0x5f]))));
const SPACE = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, OTHER]);

/** Steps of the engine that one match may cost: about a tenth of a second. */
const STEPS_MAX = 2 ** 25;
const REPEAT_MAX = 1_000;

class PatternError extends Error {}

/**
 * Why `pattern` is not acceptable, for people; undefined when it is. Accepted is App Engine's dialect: POSIX extended
 * with \w \W \s \S \d \D, no back-references, anchored by itself at both ends.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === '') return 'the pattern is empty';
  if (Buffer.byteLength(pattern) > LIMITS.manifestPatternBytesMax) {
    return `the pattern is longer than ${LIMITS.manifestPatternBytesMax} bytes`;
  }
  if (pattern.startsWith('^')) return 'a pattern matches from the start by itself; remove the leading "^"';
  if (/(^|[^\\])(\\\\)*\$$/.test(pattern)) return 'a pattern matches to the end by itself; remove the trailing "$"';
  try {
    const branches = new PatternParser(pattern).parse();
    const steps = branches.reduce((sum, pieces) => sum + stepsOf(pieces, new Set(), 1), 0);
    if (steps > STEPS_MAX) {
      return 'the pattern can take very long on some paths; use fewer repeats (.*), or [^/]* instead of .* between slashes';
    }
    new RegExp(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    if (error instanceof SyntaxError) return `the pattern cannot be read (${error.message.replace(/^Invalid regular expression: /, '')})`;
    throw error;
  }
}

class PatternParser {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  parse(): Piece[][] {
    const branches = this.#branches(0);
    if (this.#at < this.#pattern.length) throw new PatternError('a ")" has no "(" before it');
    return branches;
  }

  #branches(depth: number): Piece[][] {
    if (depth > LIMITS.manifestDepthMax) throw new PatternError(`groups are nested deeper than ${LIMITS.manifestDepthMax}`);
    const branches: Piece[][] = [[]];
    for (let next = this.#peek(); next !== '' && next !== ')'; next = this.#peek()) {
      if (next === '|') {
        this.#at++;
        branches.push([]);
      } else {
        branches.at(-1)?.push(this.#piece(depth));
      }
    }
    return branches;
  }

  #piece(depth: number): Piece {
    if (this.#peek() === '(') {
      this.#at++;
      if (this.#peek() === '?') throw new PatternError('"(?" is not part of App Engine\'s patterns; use plain groups');
      const branches = this.#branches(depth + 1);
      if (this.#take() !== ')') throw new PatternError('a "(" has no ")" after it');
      const { min, max } = this.#quantifier();
      if (max > 1 && (branches.length > 1 || branches.some((pieces) => pieces.some(isVariable)))) {
        throw new PatternError('a repeated group must not hold repeats, optional parts or alternatives; repeat single characters instead');
      }
      return { kind: 'group', branches, min, max };
    }
    const characters = this.#characters();
    return { kind: 'characters', characters, ...this.#quantifier() };
  }

  #characters(): Characters {
    const next = this.#take();
    if (next === '.') return ALL;
    if (next === '[') return this.#class();
    if (next === '\\') return this.#escape();
    if (next === '^' || next === '$') throw new PatternError(`"${next}" may not stand within a pattern`);
    if ('*+?{'.includes(next)) throw new PatternError(`nothing stands before "${next}" that it could repeat`);
    return single(next);
  }

  #escape(): Characters {
    const next = this.#take();
    if (next === '') throw new PatternError('the pattern ends with a lone "\\"');
    if (/[0-9k]/.test(next)) throw new PatternError('a pattern cannot refer back to its own groups');
    if (/[bBpPcxu]/.test(next)) throw new PatternError(`"\\${next}" is not part of App Engine's patterns`);
    return shorthand(next) ?? single(next);
  }

  #class(): Characters {
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    let characters: Characters = new Set();
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const start = this.#classItem();
      if (this.#peek() !== '-' || this.#pattern[this.#at + 1] === ']' || start.size !== 1) {
        characters = union(characters, start);
        continue;
      }
      this.#at++;
      characters = union(characters, range(only(start), only(this.#classItem())));
    }
    this.#at++;
    if (!negated) return characters;
    return new Set([...ALL].filter((code) => code === OTHER || !characters.has(code)));
  }

  #classItem(): Characters {
    const next = this.#take();
    if (next === '') throw new PatternError('a "[" has no "]" after it');
    if (next === '[' && /[:.=]/.test(this.#peek()))
      throw new PatternError('named classes such as [:alpha:] are not supported; write the characters');
    if (next !== '\\') return single(next);
    const escaped = this.#take();
    if (/[0-9bcxupPk]/.test(escaped)) throw new PatternError(`"\\${escaped}" is not part of App Engine's patterns`);
    return shorthand(escaped) ?? single(escaped);
  }

  #quantifier(): { readonly min: number; readonly max: number } {
    const counts = this.#counts();
    if (counts && /[*+?{]/.test(this.#peek() || ' ')) throw new PatternError(`"${this.#peek()}" follows another repeat`);
    return counts ?? { min: 1, max: 1 };
  }

  #counts(): { readonly min: number; readonly max: number } | undefined {
    const next = this.#peek();
    if (next !== '*' && next !== '+' && next !== '?' && next !== '{') return undefined;
    this.#at++;
    if (next === '*') return { min: 0, max: Infinity };
    if (next === '+') return { min: 1, max: Infinity };
    if (next === '?') return { min: 0, max: 1 };
    const match = /^(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#pattern.slice(this.#at));
    if (!match) throw new PatternError('"{" begins a count such as {2} or {1,3}; write "\\{" for the character');
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3]);
    if (min > max) throw new PatternError(`{${min},${max}} counts backwards`);
    if (min > REPEAT_MAX || (max !== Infinity && max > REPEAT_MAX)) throw new PatternError(`a count is larger than ${REPEAT_MAX}`);
    return { min, max };
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #take(): string {
    return this.#pattern[this.#at++] ?? '';
  }
}

/** Worst number of steps to match `pieces` where `after` can follow them and matching that takes `stepsAfter`. */
function stepsOf(pieces: readonly Piece[], after: Characters, stepsAfter: number): number {
  let steps = stepsAfter;
  let follow = after;
  for (const piece of [...pieces].reverse()) {
    const first = firstOf(piece);
    if (piece.kind === 'group') {
      const behind = steps;
      const inner = piece.branches.map((branch) => stepsOf(branch, piece.max > 1 ? union(follow, first) : follow, behind));
      steps = ambiguous(piece.branches) ? inner.reduce((sum, branchSteps) => sum + branchSteps, 0) : Math.max(...inner);
    }
    if (piece.min !== piece.max) {
      // A closed repeat is given back character by character too, but each of these tries fails at once.
      const tries = Math.min(piece.max - piece.min + 1, LIMITS.manifestPatternPathBytesMax);
      steps = overlaps(first, follow) ? steps * tries : steps + tries;
    }
    follow = isEmptyable(piece) ? union(first, follow) : first;
  }
  return steps;
}

function isVariable(piece: Piece): boolean {
  return (
    piece.min !== piece.max ||
    (piece.kind === 'group' && (piece.branches.length > 1 || piece.branches.some((branch) => branch.some(isVariable))))
  );
}

function isEmptyable(piece: Piece): boolean {
  if (piece.min === 0) return true;
  return piece.kind === 'group' && piece.branches.some((branch) => branch.every(isEmptyable));
}

function firstOf(piece: Piece): Characters {
  if (piece.kind === 'characters') return piece.characters;
  return piece.branches.map(firstOfAll).reduce(union, new Set());
}

function firstOfAll(pieces: readonly Piece[]): Characters {
  let first: Characters = new Set();
  for (const piece of pieces) {
    first = union(first, firstOf(piece));
    if (!isEmptyable(piece)) break;
  }
  return first;
}

/** Whether two branches can begin alike, so that a failure behind them tries more than one. */
function ambiguous(branches: readonly (readonly Piece[])[]): boolean {
  if (branches.length > 1 && branches.some((branch) => branch.every(isEmptyable))) return true;
  const firsts = branches.map(firstOfAll);
  return firsts.some((first, index) => firsts.slice(index + 1).some((other) => overlaps(first, other)));
}

function overlaps(a: Characters, b: Characters): boolean {
  for (const code of a) if (b.has(code)) return true;
  return false;
}

function union(a: Characters, b: Characters): Characters {
  return new Set([...a, ...b]);
}

function range(from: number, to: number): Characters {
  if (from > to) throw new PatternError('a range in [] counts backwards');
  return new Set(Array.from({ length: to - from + 1 }, (_, index) => from + index));
}

function single(character: string): Characters {
  return new Set([Math.min(character.charCodeAt(0), OTHER)]);
}

function only(characters: Characters): number {
  const [code = OTHER] = characters;
  return code;
}

function shorthand(letter: string): Characters | undefined {
  const lower = { w: WORD, d: DIGIT, s: SPACE }[letter.toLowerCase()];
  if (!lower) return undefined;
  return letter === letter.toLowerCase() ? lower : new Set([...ALL].filter((code) => code === OTHER || !lower.has(code)));
}
