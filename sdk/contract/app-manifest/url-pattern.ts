// Patterns of `handlers: url:`, checked when the app is deployed. The router matches them in time linear in the path,
// so what is checked here is the dialect, and the size of the pattern once its counted repeats are written out.
import { LIMITS } from '../limits.ts';

const REPEAT_MAX = 255;

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
  if (/(?:^|[^\\])(?:\\\\)*\$$/.test(pattern)) return 'a pattern matches to the end by itself; remove the trailing "$"';
  try {
    new PatternCheck(pattern).run();
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** Groups of an acceptable pattern: what \1, \2 … can stand for. */
export function patternGroups(pattern: string): number {
  return new PatternCheck(pattern).run();
}

class PatternCheck {
  readonly #pattern: string;
  #at = 0;
  #groups = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** The number of groups. */
  run(): number {
    this.#branches(0);
    if (this.#at < this.#pattern.length) throw new PatternError('a ")" has no "(" before it');
    return this.#groups;
  }

  /** Reads alternatives up to a ")" or the end; returns their size. */
  #branches(depth: number): number {
    if (depth > LIMITS.manifestDepthMax) throw new PatternError(`groups are nested deeper than ${LIMITS.manifestDepthMax}`);
    let size = 1;
    for (let next = this.#peek(); next !== '' && next !== ')'; next = this.#peek()) {
      if (next === '|') this.#at++;
      else size += this.#piece(depth);
      if (size > LIMITS.routePatternProgramMax) {
        throw new PatternError(`with its counts written out the pattern has more than ${LIMITS.routePatternProgramMax} parts`);
      }
    }
    return size;
  }

  #piece(depth: number): number {
    const size = this.#peek() === '(' ? this.#group(depth) : this.#character();
    const times = this.#times();
    if (times === undefined) return size;
    if (this.#peek() === '?') this.#at++;
    if (/[*+?]/.test(this.#peek())) throw new PatternError(`"${this.#peek()}" follows another repeat`);
    return size * times;
  }

  #group(depth: number): number {
    this.#at++;
    if (this.#pattern.startsWith('?:', this.#at)) this.#at += 2;
    else if (this.#peek() === '?') throw new PatternError('"(?" is not part of App Engine\'s patterns; use plain groups');
    else this.#groups++;
    const size = this.#branches(depth + 1);
    if (this.#take() !== ')') throw new PatternError('a "(" has no ")" after it');
    return size;
  }

  #character(): number {
    const next = this.#take();
    if (next === '[') this.#class();
    else if (next === '\\') this.#escape('dDwWsS');
    else if (next === '^' || next === '$') throw new PatternError(`"${next}" may not stand within a pattern; write "\\${next}"`);
    else if ('*+?{'.includes(next)) throw new PatternError(`nothing stands before "${next}" that it could repeat; write "\\${next}"`);
    return 1;
  }

  #escape(letters: string): void {
    const next = this.#take();
    if (next === '') throw new PatternError('the pattern ends with a lone "\\"');
    if (/[0-9]/.test(next)) throw new PatternError('a pattern cannot refer back to its own groups');
    if (/[A-Za-z]/.test(next) && !letters.includes(next)) throw new PatternError(`"\\${next}" is not part of App Engine's patterns`);
  }

  #class(): void {
    if (this.#peek() === '^') this.#at++;
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const low = this.#classMember();
      const next = this.#pattern[this.#at + 1];
      if (this.#peek() !== '-' || next === undefined || next === ']' || low === undefined) continue;
      this.#at++;
      const high = this.#classMember();
      if (high === undefined || high < low) throw new PatternError('a range in [] counts backwards');
    }
    this.#at++;
  }

  /** Code of one member; undefined for a class such as \d. */
  #classMember(): number | undefined {
    const next = this.#take();
    if (next === '') throw new PatternError('a "[" has no "]" after it');
    if (next === '[' && /[:.=]/.test(this.#peek())) {
      throw new PatternError('named classes such as [:alpha:] are not supported; write the characters');
    }
    if (next !== '\\') return next.charCodeAt(0);
    const escaped = this.#peek();
    this.#escape('dws');
    return /[dws]/.test(escaped) ? undefined : escaped.charCodeAt(0);
  }

  /** How often the piece before is written out; undefined when nothing repeats it. */
  #times(): number | undefined {
    const next = this.#peek();
    if (next !== '*' && next !== '+' && next !== '?' && next !== '{') return undefined;
    this.#at++;
    if (next !== '{') return 1;
    const match = /^(\d{1,3})(,(\d{0,3}))?\}/.exec(this.#pattern.slice(this.#at));
    if (!match) throw new PatternError('"{" begins a count such as {2} or {1,3}; write "\\{" for the character');
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[3] === undefined || match[3] === '' ? min : Number(match[3]);
    if (min > max) throw new PatternError(`{${min},${max}} counts backwards`);
    if (max > REPEAT_MAX) throw new PatternError(`a count is larger than ${REPEAT_MAX}`);
    return max + 1;
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #take(): string {
    return this.#pattern[this.#at++] ?? '';
  }
}
