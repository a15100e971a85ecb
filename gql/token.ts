// One word of a statement, already decoded, as the grammar sees it.
import { type Place } from './ast.ts';

export type TokenType = 'name' | 'quotedName' | 'keyword' | 'string' | 'integer' | 'double' | 'binding' | 'symbol' | 'end' | 'bad';

export interface Token<T = unknown> {
  readonly type: TokenType;
  /** What the grammar's literals match: words in upper case, everything else as written. */
  readonly text: string;
  /** The decoded name, string, number or binding. */
  readonly value: T;
  readonly at: Place;
  /** Of a bad token, which the grammar never accepts: what is wrong with it. */
  readonly problem?: string;
}

/** Feeds ready-made tokens to nearley, which knows lexers only by this shape. */
export class TokenFeed {
  readonly #tokens: readonly Token<string>[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens as readonly Token<string>[];
  }

  next(): Token<string> | undefined {
    const token = this.#tokens[this.#next];
    this.#next += 1;
    return token;
  }

  reset(): void {
    this.#next = 0;
  }

  save(): Record<string, never> {
    return {};
  }

  formatError(): string {
    return '';
  }

  /** Tells the compiled grammar that `%name` is a token type. */
  has(type: string): boolean {
    return type !== 'end' && type !== 'bad';
  }
}

/** What the grammar is compiled against. */
export const terminals = new TokenFeed([]);
