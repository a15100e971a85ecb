// A service as the wire sees it: a name, and methods that check their payload before anything else reads it.
import { PlatformError } from '../errors.ts';

export interface CallContext {
  /** Aborts when the caller cancels, disconnects, or its deadline passes. */
  readonly signal: AbortSignal;
  /** Sends one event of a streaming method; resolves when the peer keeps up. */
  readonly emit: (payload: unknown) => Promise<void>;
}

/** Answers one method. May throw PlatformError; anything else reaches the caller as INTERNAL. */
export type MethodHandler = (payload: unknown, context: CallContext) => unknown;

export interface Service {
  readonly name: string;
  readonly methods: Readonly<Record<string, MethodHandler>>;
}

/** A payload check: returns the typed value or throws. zod's `schema.parse` has this shape. */
export interface Schema<T> {
  safeParse(
    payload: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

/** Joins a schema and a handler of what it accepts. Throws INVALID_ARGUMENT naming the field that does not fit. */
export function method<T>(schema: Schema<T>, handle: (payload: T, context: CallContext) => unknown): MethodHandler {
  return (payload, context) => {
    const parsed = schema.safeParse(payload);
    if (parsed.success) return handle(parsed.data, context);
    const [issue] = parsed.error.issues;
    const field = issue ? issue.path.map(String).join('.') : '';
    throw new PlatformError('INVALID_ARGUMENT', `${field ? `"${field}": ` : ''}${issue?.message ?? 'does not fit'}`);
  };
}
