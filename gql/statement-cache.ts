// Parsed statements by text: apps send the same few again and again, and parsing one costs more than planning it.
import { LRUCache } from 'lru-cache';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type GqlStatement } from './ast.ts';
import { parseGql, type ParseOptions } from './parse.ts';

/** Bounded by gqlCacheEntriesMax statements and gqlCacheTextBytesMax of text. Errors are not kept. */
export class GqlCache {
  readonly #options: ParseOptions;
  readonly #statements: LRUCache<string, GqlStatement>;

  constructor(options: ParseOptions = {}) {
    this.#options = options;
    this.#statements = new LRUCache({
      max: LIMITS.gqlCacheEntriesMax,
      maxSize: LIMITS.gqlCacheTextBytesMax,
      sizeCalculation: (_, text) => Math.max(1, text.length),
    });
  }

  /** As parseGql with the options of the constructor; throws what it throws. */
  parse(text: string): GqlStatement {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = parseGql(text, this.#options);
    this.#statements.set(text, statement);
    return statement;
  }

  /** Statements held now. */
  get size(): number {
    return this.#statements.size;
  }
}
