// First in, first out, with a limit, and removal from the middle in constant time: what a hold queue needs
// when clients leave before their turn.

interface Node<T> {
  readonly value: T;
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
  queued: boolean;
}

/** A place in the queue. */
export interface QueueEntry {
  /** Leaves the queue; false when it was taken or removed before. */
  remove(): boolean;
}

export class BoundedQueue<T> {
  readonly #lengthMax: number;
  #head: Node<T> | undefined;
  #tail: Node<T> | undefined;
  #length = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  get length(): number {
    return this.#length;
  }

  /** Appends; undefined when the queue is full. */
  push(value: T): QueueEntry | undefined {
    if (this.#length >= this.#lengthMax) return undefined;
    const node: Node<T> = { value, previous: this.#tail, next: undefined, queued: true };
    if (this.#tail) this.#tail.next = node;
    else this.#head = node;
    this.#tail = node;
    this.#length++;
    return { remove: () => this.#unlink(node) };
  }

  /** The oldest entry, left in place. */
  peek(): T | undefined {
    return this.#head?.value;
  }

  /** Takes the oldest entry. */
  shift(): T | undefined {
    const node = this.#head;
    if (!node) return undefined;
    this.#unlink(node);
    return node.value;
  }

  #unlink(node: Node<T>): boolean {
    if (!node.queued) return false;
    node.queued = false;
    if (node.previous) node.previous.next = node.next;
    else this.#head = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#tail = node.previous;
    this.#length--;
    return true;
  }
}
