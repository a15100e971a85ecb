export interface HeapTimer {
  dueMs: number;
  /** Breaks ties: what was set first fires first. */
  readonly order: number;
  isCancelled: boolean;
}

/** Timers by due time, a binary heap. A cancelled one stays until it would be first, or until most of the heap is such. */
export class TimerHeap<T extends HeapTimer> {
  #heap: T[] = [];
  #cancelled = 0;

  push(timer: T): void {
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
  }

  /** The next to fire; undefined when there is none. */
  peek(): T | undefined {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      if (!first.isCancelled) return first;
      this.pop();
      this.#cancelled--;
    }
    return undefined;
  }

  /** Takes the first out. */
  pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  cancel(timer: T): void {
    if (timer.isCancelled) return;
    timer.isCancelled = true;
    this.#cancelled++;
    if (this.#cancelled * 2 <= this.#heap.length) return;
    this.#heap = this.#heap.filter((each) => !each.isCancelled).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  #rise(index: number): void {
    const heap = this.#heap;
    for (let child = index; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!swapIfBefore(heap, child, parent)) return;
      child = parent;
    }
  }

  #sink(index: number): void {
    const heap = this.#heap;
    for (let parent = index; ;) {
      const left = 2 * parent + 1;
      const [first, second] = [heap[left], heap[left + 1]];
      if (first === undefined) return;
      const child = second !== undefined && isBefore(second, first) ? left + 1 : left;
      if (!swapIfBefore(heap, child, parent)) return;
      parent = child;
    }
  }
}

function isBefore(one: HeapTimer, other: HeapTimer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

function swapIfBefore<T extends HeapTimer>(heap: T[], child: number, parent: number): boolean {
  const [lower, upper] = [heap[child], heap[parent]];
  if (lower === undefined || upper === undefined || !isBefore(lower, upper)) return false;
  heap[child] = upper;
  heap[parent] = lower;
  return true;
}
