// Ranges of keys with their owners, asked who covers a key. A treap by start, where each node knows the furthest end below
// it, so that a question walks past what ends too early: logarithmic, plus one step or few for each range that covers the key.
import { type KeyRange } from '../storage/port.ts';

export interface Interval<Owner> extends KeyRange {
  readonly owner: Owner;
}

interface Node<Owner> {
  readonly interval: Interval<Owner>;
  readonly priority: number;
  /** Tells apart the intervals that start alike. */
  readonly order: number;
  furthest: Buffer;
  left: Node<Owner> | undefined;
  right: Node<Owner> | undefined;
}

export class IntervalTree<Owner> {
  #root: Node<Owner> | undefined;
  readonly #nodes = new Map<Interval<Owner>, Node<Owner>>();
  #order = 0;
  // xorshift32: balance needs spread, not secrecy.
  #spread = 0x9e3779b9;

  get size(): number {
    return this.#nodes.size;
  }

  add(interval: Interval<Owner>): void {
    const node: Node<Owner> = {
      interval,
      priority: this.#priority(),
      order: this.#order++,
      furthest: interval.to,
      left: undefined,
      right: undefined,
    };
    this.#nodes.set(interval, node);
    this.#root = insert(this.#root, node);
  }

  delete(interval: Interval<Owner>): void {
    const node = this.#nodes.get(interval);
    if (!node) return;
    this.#nodes.delete(interval);
    this.#root = remove(this.#root, node);
  }

  /** Adds the owners of all intervals that cover `key` to `owners`. */
  cover(key: Buffer, owners: Set<Owner>): void {
    collect(this.#root, key, owners);
  }

  #priority(): number {
    this.#spread ^= this.#spread << 13;
    this.#spread ^= this.#spread >>> 17;
    this.#spread ^= this.#spread << 5;
    return this.#spread;
  }
}

function collect<Owner>(node: Node<Owner> | undefined, key: Buffer, owners: Set<Owner>): void {
  for (let at = node; at && Buffer.compare(at.furthest, key) > 0; at = at.right) {
    collect(at.left, key, owners);
    const { from, to, owner } = at.interval;
    if (Buffer.compare(from, key) > 0) return;
    if (Buffer.compare(to, key) > 0) owners.add(owner);
  }
}

function insert<Owner>(root: Node<Owner> | undefined, node: Node<Owner>): Node<Owner> {
  if (!root) return node;
  if (node.priority > root.priority) {
    [node.left, node.right] = split(root, node);
    return measured(node);
  }
  if (isBefore(node, root)) root.left = insert(root.left, node);
  else root.right = insert(root.right, node);
  return measured(root);
}

function remove<Owner>(root: Node<Owner> | undefined, node: Node<Owner>): Node<Owner> | undefined {
  if (!root) return undefined;
  if (root === node) return join(root.left, root.right);
  if (isBefore(node, root)) root.left = remove(root.left, node);
  else root.right = remove(root.right, node);
  return measured(root);
}

/** What lies before `pivot`, and what behind it. */
function split<Owner>(root: Node<Owner> | undefined, pivot: Node<Owner>): [Node<Owner> | undefined, Node<Owner> | undefined] {
  if (!root) return [undefined, undefined];
  if (isBefore(root, pivot)) {
    const [before, behind] = split(root.right, pivot);
    root.right = before;
    return [measured(root), behind];
  }
  const [before, behind] = split(root.left, pivot);
  root.left = behind;
  return [before, measured(root)];
}

function join<Owner>(left: Node<Owner> | undefined, right: Node<Owner> | undefined): Node<Owner> | undefined {
  if (!left) return right;
  if (!right) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    return measured(left);
  }
  right.left = join(left, right.left);
  return measured(right);
}

function measured<Owner>(node: Node<Owner>): Node<Owner> {
  let furthest = node.interval.to;
  if (node.left && Buffer.compare(node.left.furthest, furthest) > 0) furthest = node.left.furthest;
  if (node.right && Buffer.compare(node.right.furthest, furthest) > 0) furthest = node.right.furthest;
  node.furthest = furthest;
  return node;
}

function isBefore<Owner>(one: Node<Owner>, other: Node<Owner>): boolean {
  const order = Buffer.compare(one.interval.from, other.interval.from);
  return order < 0 || (order === 0 && one.order < other.order);
}
