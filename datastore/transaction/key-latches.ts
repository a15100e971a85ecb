// Lets commits that write the same entity pass one after the other, so that they need not conflict and be made again.
// Only for fairness and thrift: correctness is the store's.

export class KeyLatches {
  /** Held names, each with those who wait for it in order. */
  readonly #held = new Map<string, (() => void)[] | undefined>();

  /** Runs `action` alone among the actions that share one of `names`, which must not repeat. First come, first served. */
  async hold<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    // In one order for all, so that two can never wait for each other.
    const ordered = names.length > 1 ? [...names].sort() : names;
    for (const name of ordered) {
      if (this.#held.has(name)) await this.#wait(name);
      else this.#held.set(name, undefined);
    }
    try {
      return await action();
    } finally {
      for (const name of ordered) this.#release(name);
    }
  }

  #wait(name: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#held.get(name);
      if (waiting) waiting.push(resolve);
      else this.#held.set(name, [resolve]);
    });
  }

  /** Hands the name over to who waits longest. */
  #release(name: string): void {
    const next = this.#held.get(name)?.shift();
    if (next) next();
    else this.#held.delete(name);
  }
}
