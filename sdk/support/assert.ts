/** Stops on a broken invariant of our own. Never used on input: input gets a PlatformError. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}

/** Makes a switch over a union exhaustive at compile time, and loud at run time. */
export function assertNever(value: never): never {
  throw new Error(`Broken invariant: no case for ${JSON.stringify(value)}`);
}
