// Lists while they are parsed. Earley's algorithm completes a list at every comma, and an array copied each time would
// make ten kilobytes of names half a second of work; a chain grows in constant time and becomes an array once.

/** A list by its last item. */
export class Chain<T> {
  readonly first: T;
  readonly length: number;
  readonly #last: T;
  readonly #previous: Chain<T> | undefined;

  constructor(last: T, previous?: Chain<T>) {
    this.first = previous === undefined ? last : previous.first;
    this.length = (previous?.length ?? 0) + 1;
    this.#last = last;
    this.#previous = previous;
  }

  static toArray<T>(last: Chain<T>): T[] {
    const items: T[] = [];
    for (let link: Chain<T> | undefined = last; link !== undefined; link = link.#previous) items.push(link.#last);
    return items.reverse();
  }
}

export function chain<T>(last: T, previous?: Chain<T>): Chain<T> {
  return new Chain(last, previous);
}

/** The tree with arrays for chains, deeply frozen. Recursion goes as deep as parentheses nest. */
export function settle(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (node instanceof Chain) return settle(Chain.toArray(node));
  if (Array.isArray(node)) return Object.freeze(node.map(settle));
  const settled: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(node)) settled[name] = settle(value);
  return Object.freeze(settled);
}
