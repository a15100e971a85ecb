// The syntax of `url:` patterns in app.yaml: the part of regular expressions that has a linear-time engine.
// Back-references and look-around have none, so they are refused rather than run (security: hostile number 6).
import { PlatformError } from '../sdk/contract/errors.ts';

/** One or more ranges of UTF-16 code units, both ends included. */
export type CharacterRanges = readonly (readonly [low: number, high: number])[];

export type PatternNode =
  | { readonly kind: 'character'; readonly ranges: CharacterRanges; readonly isNegated: boolean }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly branches: readonly PatternNode[] }
  /** `group` is absent for `(?:…)`. */
  | { readonly kind: 'group'; readonly group?: number; readonly body: PatternNode }
  | { readonly kind: 'repeat'; readonly body: PatternNode; readonly min: number; readonly max: number; readonly isLazy: boolean };

export interface ParsedPattern {
  readonly root: PatternNode;
  readonly groups: number;
}

const CLASSES: Readonly<Record<string, CharacterRanges>> = {
  d: [[48, 57]],
  w: [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
  s: [
    [9, 13],
    [32, 32],
  ],
};
const ANY: PatternNode = { kind: 'character', ranges: [[10, 10]], isNegated: true };
const REPEAT_MAX = 255;

/** Parses a pattern. Throws MANIFEST_INVALID with the column when it is not in the dialect. */
export function parsePattern(text: string): ParsedPattern {
  return new PatternParser(text).parse();
}

class PatternParser {
  readonly #text: string;
  #at = 0;
  #groups = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ParsedPattern {
    const root = this.#choice();
    if (this.#at < this.#text.length) this.#refuse('there is a ) without its (');
    return { root, groups: this.#groups };
  }

  #choice(): PatternNode {
    const branches = [this.#sequence()];
    while (this.#take('|')) branches.push(this.#sequence());
    const [only] = branches;
    return branches.length === 1 && only ? only : { kind: 'choice', branches };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      items.push(this.#repeated(this.#atom()));
    }
    return { kind: 'sequence', items };
  }

  #atom(): PatternNode {
    const character = this.#next();
    switch (character) {
      case '.':
        return ANY;
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        return this.#refuse(`${character} has nothing to repeat`);
      default:
        return single(character);
    }
  }

  #group(): PatternNode {
    let group: number | undefined;
    if (this.#take('?')) {
      if (!this.#take(':')) this.#refuse('only (…) and (?:…) are supported');
    } else {
      this.#groups++;
      group = this.#groups;
    }
    const body = this.#choice();
    if (!this.#take(')')) this.#refuse('a ( is not closed');
    return group === undefined ? { kind: 'group', body } : { kind: 'group', group, body };
  }

  #repeated(atom: PatternNode): PatternNode {
    const bounds = this.#bounds();
    if (!bounds) return atom;
    const isLazy = this.#take('?');
    if (this.#bounds()) this.#refuse('a repetition cannot be repeated without a group');
    return { kind: 'repeat', body: atom, min: bounds[0], max: bounds[1], isLazy };
  }

  #bounds(): readonly [min: number, max: number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    const counted = /^\{(\d{1,3})(,(\d{1,3})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 9));
    if (!counted) return undefined;
    this.#at += counted[0].length;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : counted[3] === undefined ? Infinity : Number(counted[3]);
    if (min > REPEAT_MAX || max < min || (max !== Infinity && max > REPEAT_MAX))
      this.#refuse(`a repetition is not within 0 to ${REPEAT_MAX}`);
    return [min, max];
  }

  #escape(): PatternNode {
    const character = this.#next();
    const ranges = CLASSES[character.toLowerCase()];
    if (ranges) return { kind: 'character', ranges, isNegated: character !== character.toLowerCase() };
    if (/[A-Za-z0-9]/.test(character)) this.#refuse(`\\${character} is not supported`);
    return single(character);
  }

  #class(): PatternNode {
    const isNegated = this.#take('^');
    const ranges: (readonly [number, number])[] = [];
    for (let isFirst = true; ; isFirst = false) {
      if (this.#peek() === undefined) this.#refuse('a [ is not closed');
      if (!isFirst && this.#take(']')) break;
      const low = this.#classMember(ranges);
      if (low === undefined) continue;
      if (this.#peek() === '-' && this.#text[this.#at + 1] !== ']' && this.#text[this.#at + 1] !== undefined) {
        this.#at++;
        const high = this.#classMember(ranges);
        if (high === undefined || high < low) this.#refuse('a range in [] is the wrong way round');
        else ranges.push([low, high]);
      } else {
        ranges.push([low, low]);
      }
    }
    return { kind: 'character', ranges, isNegated };
  }

  /** The code of one member, or undefined when it was a class such as `\d`, which is added at once. */
  #classMember(ranges: (readonly [number, number])[]): number | undefined {
    const character = this.#next();
    if (character !== '\\') return character.charCodeAt(0);
    const escaped = this.#next();
    const inner = CLASSES[escaped];
    if (inner) {
      ranges.push(...inner);
      return undefined;
    }
    if (/[A-Za-z0-9]/.test(escaped)) this.#refuse(`\\${escaped} is not supported in []`);
    return escaped.charCodeAt(0);
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #next(): string {
    const character = this.#text[this.#at];
    if (character === undefined) return this.#refuse('it ends too early');
    this.#at++;
    return character;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #refuse(why: string): never {
    throw new PlatformError('MANIFEST_INVALID', `url pattern ${this.#text}, column ${this.#at}: ${why}`, {
      details: { pattern: this.#text, column: this.#at },
    });
  }
}

function single(character: string): PatternNode {
  const code = character.charCodeAt(0);
  return { kind: 'character', ranges: [[code, code]], isNegated: false };
}
