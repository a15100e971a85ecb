// From offsets in a statement to lines and columns as people count them.
import { type Place } from './ast.ts';

const LINE_BREAK = /\r\n|\n|\r/g;

/** Finds places in one text; calls must go forward, so that a statement is walked once. */
export class PlaceFinder {
  readonly #text: string;
  #line = 1;
  #column = 1;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  at(start: number, end: number): Place {
    const passed = this.#text.slice(this.#offset, start);
    let lineStart = 0;
    for (const lineBreak of passed.matchAll(LINE_BREAK)) {
      this.#line += 1;
      this.#column = 1;
      lineStart = lineBreak.index + lineBreak[0].length;
    }
    this.#column += charactersIn(passed.slice(lineStart));
    this.#offset = start;
    return { line: this.#line, column: this.#column, start, end };
  }
}

const WIDTH_BEFORE_MAX = 60;
const WIDTH_AFTER_MAX = 40;

/** The line at a place with a caret under it, cut to what fits a terminal. */
export function excerpt(text: string, place: Place): string {
  const before = text.slice(0, place.start).split(LINE_BREAK).at(-1) ?? '';
  const after = text.slice(place.start).split(LINE_BREAK)[0] ?? '';
  const left = visible(tail(before));
  return `  ${left}${visible(head(after))}\n  ${' '.repeat(charactersIn(left))}^`;
}

function tail(text: string): string {
  const characters = Array.from(text);
  return characters.length <= WIDTH_BEFORE_MAX ? text : `…${characters.slice(-WIDTH_BEFORE_MAX).join('')}`;
}

function head(text: string): string {
  const characters = Array.from(text);
  return characters.length <= WIDTH_AFTER_MAX ? text : `${characters.slice(0, WIDTH_AFTER_MAX).join('')}…`;
}

/** Control characters would move the caret, or the terminal. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => (character === '\t' ? ' ' : '·'));
}

function charactersIn(text: string): number {
  return Array.from(text).length;
}
