// The tasks of one queue that are scheduled in memory: the next ones by ETA. What comes later stays in the store and is read
// a page at a time when the window runs low, so a queue of any length takes bounded memory.
import { comparePlaces, type TaskPlace } from './task.ts';

interface Waiting {
  readonly place: TaskPlace;
  /** When to try it: its ETA, or later when the platform was away. */
  readonly atMs: number;
}

export class TaskWindow {
  readonly #entriesMax: number;
  /** By atMs, then place. */
  #waiting: Waiting[] = [];
  readonly #names = new Set<string>();
  /** The last place up to which everything in the store is known here; undefined before the first page. */
  #horizon: TaskPlace | undefined;
  /** Whether nothing lies beyond the horizon. */
  #isComplete: boolean;
  #isPaging = false;

  /** `isEmpty`: whether the store is known to hold nothing of the queue. */
  constructor(entriesMax: number, options: { readonly isEmpty: boolean }) {
    this.#entriesMax = entriesMax;
    this.#isComplete = options.isEmpty;
  }

  /** Tasks waiting here. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Whether every waiting task of the queue is here. */
  get isComplete(): boolean {
    return this.#isComplete && !this.#isPaging;
  }

  /** Takes a task that is in the store; one beyond the horizon waits there until its page is read. */
  add(place: TaskPlace, atMs = place.etaMs): void {
    const isBeyond = !this.#isComplete && !this.#isPaging && (!this.#horizon || comparePlaces(place, this.#horizon) > 0);
    if (isBeyond || this.#names.has(place.name)) return;
    this.#insert({ place, atMs });
    if (this.#waiting.length > 2 * this.#entriesMax) this.#trim();
  }

  remove(name: string): void {
    if (!this.#names.delete(name)) return;
    this.#waiting.splice(
      this.#waiting.findIndex(({ place }) => place.name === name),
      1,
    );
  }

  clear(): void {
    this.#waiting = [];
    this.#names.clear();
  }

  dueCount(nowMs: number, most: number): number {
    let count = 0;
    while (count < most && (this.#waiting[count]?.atMs ?? Infinity) <= nowMs) count++;
    return count;
  }

  /** The first one's time after those that are due; Infinity when there is none. */
  nextAfterMs(nowMs: number): number {
    return this.#waiting.find(({ atMs }) => atMs > nowMs)?.atMs ?? Infinity;
  }

  take(count: number): TaskPlace[] {
    const taken = this.#waiting.splice(0, count).map(({ place }) => place);
    for (const { name } of taken) this.#names.delete(name);
    return taken;
  }

  /** Whether it is time to read a page; then `beginPage` and `endPage` must follow. */
  get wantsPage(): boolean {
    return !this.#isComplete && !this.#isPaging && this.#waiting.length < this.#entriesMax / 4;
  }

  /** After which place to read. Until `endPage` every new task is kept, since the page may not show it. */
  beginPage(): { readonly after: TaskPlace | undefined; readonly limit: number } {
    this.#isPaging = true;
    return { after: this.#horizon, limit: this.#entriesMax };
  }

  /** The page in order; undefined when it could not be read. `isHeld`: running already, or otherwise not to be taken. */
  endPage(page: readonly TaskPlace[] | undefined, isHeld: (place: TaskPlace) => boolean): void {
    this.#isPaging = false;
    if (page) {
      this.#isComplete = page.length < this.#entriesMax;
      this.#horizon = page.at(-1) ?? this.#horizon;
      for (const place of page) if (!this.#names.has(place.name) && !isHeld(place)) this.#insert({ place, atMs: place.etaMs });
    }
    this.#dropBeyondHorizon();
    if (this.#waiting.length > 2 * this.#entriesMax) this.#trim();
  }

  /** Begins anew from the store, as after a change of it that was not followed here. */
  restart(): void {
    this.clear();
    this.#horizon = undefined;
    this.#isComplete = false;
  }

  #insert(waiting: Waiting): void {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle];
      if (other && compareWaiting(other, waiting) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, waiting);
    this.#names.add(waiting.place.name);
  }

  /** Keeps the nearest; the rest is read again when its time comes. */
  #trim(): void {
    const places = this.#waiting.map(({ place }) => place).sort(comparePlaces);
    this.#horizon = places[this.#entriesMax - 1];
    this.#isComplete = false;
    this.#dropBeyondHorizon();
  }

  #dropBeyondHorizon(): void {
    if (this.#isComplete) return;
    const horizon = this.#horizon;
    const isKept = ({ place }: Waiting): boolean => horizon !== undefined && comparePlaces(place, horizon) <= 0;
    for (const waiting of this.#waiting) if (!isKept(waiting)) this.#names.delete(waiting.place.name);
    this.#waiting = this.#waiting.filter(isKept);
  }
}

function compareWaiting(a: Waiting, b: Waiting): number {
  return a.atMs - b.atMs || comparePlaces(a.place, b.place);
}
