// Lets commits that write the same entity pass one after the other, so that they need not conflict and be made again.
// Only for fairness and thrift: correctness is the store's.

export class KeyLatches {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `action` when no earlier action with one of `names` is under way. */
  async hold<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    // All names are taken in this turn, so two actions can never wait for each other.
    const earlier = names.map((name) => this.#tails.get(name)).filter((tail) => tail !== undefined);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    for (const name of names) this.#tails.set(name, held);
    try {
      if (earlier.length > 0) await Promise.all(earlier);
      return await action();
    } finally {
      for (const name of names) if (this.#tails.get(name) === held) this.#tails.delete(name);
      release();
    }
  }
}
