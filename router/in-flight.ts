// A set of things that come and go thousands of times a second.
// Not a Set: the tables that V8 leaves behind when a Set has seen many members keep the last of them alive, and with
// them whole requests, into the old generation; that cost a tenth of the router's CPU.

export interface Placed {
  /** Where it stands; the set's own. -1 when it is in none. */
  place: number;
}

export class InFlight<T extends Placed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  remove(item: T): void {
    const { place } = item;
    if (this.#items[place] !== item) return;
    const last = this.#items.pop();
    if (last && last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = -1;
  }

  /** As they stand now: members may leave while the caller goes through them. */
  snapshot(): readonly T[] {
    return [...this.#items];
  }
}
