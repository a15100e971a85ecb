// An ordered map from byte strings to byte strings that never changes: a write returns a new root that shares most
// nodes with the old one, so that a snapshot is a root. A treap: its priorities keep it balanced in expectation.
import { type KeyRange, type Row } from './port.ts';

export interface TreeNode {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly priority: number;
  readonly left: Tree;
  readonly right: Tree;
}

export type Tree = TreeNode | undefined;

export function treeGet(root: Tree, key: Buffer): Buffer | undefined {
  for (let node = root; node;) {
    const order = Buffer.compare(key, node.key);
    if (order === 0) return node.value;
    node = order < 0 ? node.left : node.right;
  }
  return undefined;
}

/** `priority` is any number, independent of the key, and only used when the key is new. */
export function treePut(root: Tree, key: Buffer, value: Buffer, priority: number): TreeNode {
  if (!root) return { key, value, priority, left: undefined, right: undefined };
  const order = Buffer.compare(key, root.key);
  if (order === 0) return { ...root, value };
  if (order < 0) {
    const left = treePut(root.left, key, value, priority);
    return left.priority > root.priority ? { ...left, right: { ...root, left: left.right } } : { ...root, left };
  }
  const right = treePut(root.right, key, value, priority);
  return right.priority > root.priority ? { ...right, left: { ...root, right: right.left } } : { ...root, right };
}

export function treeDelete(root: Tree, key: Buffer): Tree {
  if (!root) return undefined;
  const order = Buffer.compare(key, root.key);
  if (order === 0) return merge(root.left, root.right);
  if (order < 0) {
    const left = treeDelete(root.left, key);
    return left === root.left ? root : { ...root, left };
  }
  const right = treeDelete(root.right, key);
  return right === root.right ? root : { ...root, right };
}

/** Adds rows of `range` to `rows` in order until it holds `rowsMax`. */
export function treeCollect(root: Tree, range: KeyRange, direction: 'forward' | 'backward', rowsMax: number, rows: Row[]): void {
  if (!root || rows.length >= rowsMax) return;
  const aboveFrom = Buffer.compare(root.key, range.from) >= 0;
  const belowTo = Buffer.compare(root.key, range.to) < 0;
  const goLeft = (): void => {
    if (aboveFrom) treeCollect(root.left, range, direction, rowsMax, rows);
  };
  const goRight = (): void => {
    if (belowTo) treeCollect(root.right, range, direction, rowsMax, rows);
  };
  const forward = direction === 'forward';
  (forward ? goLeft : goRight)();
  if (aboveFrom && belowTo && rows.length < rowsMax) rows.push({ key: root.key, value: root.value });
  (forward ? goRight : goLeft)();
}

function merge(left: Tree, right: Tree): Tree {
  if (!left) return right;
  if (!right) return left;
  return left.priority > right.priority ? { ...left, right: merge(left.right, right) } : { ...right, left: merge(left, right.left) };
}
