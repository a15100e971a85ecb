// Shared locks on ranges of rows: what the queries of open transactions have scanned so far.
//
// An owner's ranges are kept apart from each other: what overlaps or touches becomes one. Past `rangesMax` of them the gaps
// between neighbours with the longest common prefix are locked as well, half of all: rather too many rows than too many locks.
// Neighbours of different families or apps have the shortest common prefixes, so that their gaps stay free.
import { type KeyRange } from '../storage/port.ts';
import { type Interval, IntervalTree } from './interval-tree.ts';
import { type LockOwner } from './lock.ts';

export class RangeLocks {
  readonly #rangesMax: number;
  readonly #tree = new IntervalTree<LockOwner>();

  constructor(rangesMax: number) {
    this.#rangesMax = rangesMax;
  }

  get isEmpty(): boolean {
    return this.#tree.size === 0;
  }

  add(owner: LockOwner, range: KeyRange): void {
    if (Buffer.compare(range.from, range.to) >= 0) return;
    const { ranges } = owner;
    const first = firstEndingFrom(ranges, range.from);
    let { from, to } = range;
    let end = first;
    for (let near = ranges[end]; near && Buffer.compare(near.from, range.to) <= 0; near = ranges[++end]) {
      if (Buffer.compare(near.from, from) < 0) from = near.from;
      if (Buffer.compare(near.to, to) > 0) to = near.to;
    }
    const [known] = ranges.slice(first, end);
    if (end - first === 1 && known?.from.equals(from) && known.to.equals(to)) return;
    this.#replace(owner, first, end, { from, to });
    if (ranges.length > this.#rangesMax) this.#coarsen(owner);
  }

  /** Adds those whose ranges cover `row` to `owners`. */
  cover(row: Buffer, owners: Set<LockOwner>): void {
    this.#tree.cover(row, owners);
  }

  release(owner: LockOwner): void {
    for (const interval of owner.ranges) this.#tree.delete(interval);
    owner.ranges.length = 0;
  }

  #coarsen(owner: LockOwner): void {
    const { ranges } = owner;
    const gaps = ranges.slice(1).map(({ from }, at) => ({ at, shared: commonPrefix(ranges[at]?.to, from) }));
    gaps.sort((one, other) => other.shared - one.shared || one.at - other.at);
    // From the back, so that the places of those still to be closed stay what they are.
    const closed = gaps.slice(0, Math.ceil(this.#rangesMax / 2)).sort((one, other) => other.at - one.at);
    for (const { at } of closed) {
      const [low, high] = [ranges[at], ranges[at + 1]];
      if (low && high) this.#replace(owner, at, at + 2, { from: low.from, to: high.to });
    }
  }

  #replace(owner: LockOwner, first: number, end: number, { from, to }: KeyRange): void {
    const interval: Interval<LockOwner> = { from, to, owner };
    for (const gone of owner.ranges.splice(first, end - first, interval)) this.#tree.delete(gone);
    this.#tree.add(interval);
  }
}

/** The place of the first range that ends at `key` or behind it. */
function firstEndingFrom(ranges: readonly KeyRange[], key: Buffer): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = ranges[middle];
    if (candidate && Buffer.compare(candidate.to, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function commonPrefix(one: Buffer | undefined, other: Buffer): number {
  let at = 0;
  while (one && at < one.length && at < other.length && one[at] === other[at]) at++;
  return at;
}
