// What a statement is bound in: its text for errors, the arguments, and where its keys live.
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Value } from '../sdk/contract/entity.ts';
import { type Binding, type GqlStatement, type Place } from './ast.ts';
import { syntaxError } from './refusal.ts';
import { visible } from './text-place.ts';

/** A cursor is the opaque position that an earlier batch of results ended at. */
export type GqlArgument = { readonly kind: 'value'; readonly value: Value } | { readonly kind: 'cursor'; readonly cursor: Uint8Array };

export interface GqlArguments {
  /** May hold more than the statement uses. */
  readonly named?: Readonly<Record<string, GqlArgument>>;
  /** `@1` is the first; all must be used. */
  readonly positional?: readonly GqlArgument[];
}

export interface BindContext {
  readonly projectId: string;
  readonly databaseId: string;
  readonly namespace: string;
  /** Default true. False refuses values that are written into the statement: nothing can then be injected. */
  readonly allowLiterals?: boolean;
}

export class Scope {
  readonly context: BindContext;
  readonly #statement: GqlStatement;
  readonly #args: GqlArguments;
  readonly #positionsUsed = new Set<number>();

  constructor(statement: GqlStatement, args: GqlArguments, context: BindContext) {
    this.#statement = statement;
    this.#args = args;
    this.context = context;
  }

  get dialect(): GqlStatement['dialect'] {
    return this.#statement.dialect;
  }

  /** Throws GQL_BIND when there is none. */
  argument(binding: Binding): GqlArgument {
    const { name } = binding;
    if (typeof name === 'string') {
      const { named = {} } = this.#args;
      const found = Object.hasOwn(named, name) ? named[name] : undefined;
      if (found === undefined) throw bindError(`Absent named binding: ${name}. The statement uses ${this.#written(binding.at)}`, binding);
      return found;
    }
    this.#positionsUsed.add(name);
    const found = this.#args.positional?.[name - 1];
    if (found === undefined)
      throw bindError(`Absent positional binding: ${name}. The statement uses ${this.#written(binding.at)}`, binding);
    return found;
  }

  /** Throws GQL_BIND for a cursor where a value belongs. */
  value(binding: Binding, want = 'value'): Value {
    const argument = this.argument(binding);
    if (argument.kind === 'cursor') throw this.mismatch(binding, 'cursor', want);
    return argument.value;
  }

  mismatch(binding: Binding, found: string, want: string): PlatformError {
    return bindError(`${describe(binding)}, found "${found}", want "${want}"`, binding, { found, want });
  }

  /** GQL_BIND for an argument of the right type that still does not fit. */
  refusal(binding: Binding, reason: string): PlatformError {
    return bindError(`${describe(binding)}: ${reason}`, binding);
  }

  /** Refuses a literal where the context allows none. */
  literal(at: Place): void {
    if (this.context.allowLiterals ?? true) return;
    throw this.error(at, `Disallowed literal: ${this.#written(at)}. Pass the value as an argument.`);
  }

  /** GQL_SYNTAX at a place of the statement. */
  error(at: Place, reason: string): PlatformError {
    return syntaxError(this.#statement.text, at, reason);
  }

  /** Google's rule: a positional argument that the statement does not use is a mistake. Throws GQL_BIND. */
  assertPositionsUsed(): void {
    const count = this.#args.positional?.length ?? 0;
    for (let position = 1; position <= count; position += 1) {
      if (this.#positionsUsed.has(position)) continue;
      throw new PlatformError('GQL_BIND', `Unused positional binding: ${position}. The statement has no such argument`, {
        details: { argument: `position ${position}` },
      });
    }
  }

  #written(at: Place): string {
    return this.#statement.text.slice(at.start, at.end);
  }
}

const describe = ({ name }: Binding): string => (typeof name === 'number' ? `position ${name}` : `name "${name}"`);

function bindError(reason: string, binding: Binding, details: Readonly<Record<string, string>> = {}): PlatformError {
  const { line, column } = binding.at;
  return new PlatformError('GQL_BIND', visible(reason), { details: { argument: visible(describe(binding)), line, column, ...details } });
}
