// The keys written by recent commits, kept as long as an open transaction could have read them before: what optimistic
// concurrency checks against.
//
// Commits are numbered 1, 2, 3, …. The window holds blocks of up to BLOCK_WRITES writes. A range check is a binary search per
// full block and a walk through at most two partly covered ones. A key check looks into a table of the newest commit per
// hash first, which nearly always says no: recording a write must cost next to nothing, since all do it and few are asked.
import { keyAfter, lowerBound } from './key-bytes.ts';
import { type KeyRange } from './port.ts';
import { type ReadSet } from './read-set.ts';

const BLOCK_WRITES = 1_024;
/** A power of two. */
const HASH_SLOTS = 65_536;

interface Block {
  readonly keys: Buffer[];
  readonly sequences: number[];
  /** The keys in order, made when a range first asks a full block. */
  sorted: readonly Buffer[] | undefined;
}

export class RecentCommits {
  readonly #writesMax: number;
  /** Per hash of a key, the newest commit that wrote one of that hash. */
  readonly #newest = new Float64Array(HASH_SLOTS);
  readonly #blocks: Block[] = [];
  #writes = 0;
  /** Commits up to this one may be missing from the window. */
  #floor = 0;

  constructor(writesMax: number) {
    this.#writesMax = writesMax;
  }

  /** Writes held. */
  get size(): number {
    return this.#writes;
  }

  /** Adds the keys that commit `sequence` wrote. Sequences must not decrease. */
  record(sequence: number, keys: readonly Buffer[]): void {
    let block = this.#blocks.at(-1);
    for (const key of keys) {
      if (!block || block.keys.length >= BLOCK_WRITES) {
        block = { keys: [], sequences: [], sorted: undefined };
        this.#blocks.push(block);
      }
      block.keys.push(key);
      block.sequences.push(sequence);
      this.#newest[slotOf(key)] = sequence;
    }
    this.#writes += keys.length;
    while (this.#writes > this.#writesMax) this.#dropOldest();
  }

  /** Forgets what no transaction that began after commit `sequence` can ask for. */
  forgetUpTo(sequence: number): void {
    for (let oldest = this.#blocks[0]; oldest && (oldest.sequences.at(-1) ?? 0) <= sequence; oldest = this.#blocks[0]) {
      this.#dropOldest();
    }
  }

  /** Whether a commit after `sequence` wrote what `reads` holds; also true when that is no longer known. */
  conflicts(reads: ReadSet, sequence: number): boolean {
    if (reads.isEmpty) return false;
    if (sequence < this.#floor) return true;
    return (
      reads.keys.some((key) => this.#mayBeWritten(key, sequence) && this.#isRangeWritten({ from: key, to: keyAfter(key) }, sequence)) ||
      reads.ranges.some((range) => this.#isRangeWritten(range, sequence))
    );
  }

  #mayBeWritten(key: Buffer, sequence: number): boolean {
    return (this.#newest[slotOf(key)] ?? 0) > sequence;
  }

  #isRangeWritten(range: KeyRange, sequence: number): boolean {
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index];
      if (!block || (block.sequences.at(-1) ?? 0) <= sequence) return false;
      if (isWrittenIn(block, range, sequence)) return true;
    }
    return false;
  }

  #dropOldest(): void {
    const block = this.#blocks.shift();
    if (!block) return;
    this.#writes -= block.keys.length;
    this.#floor = block.sequences.at(-1) ?? this.#floor;
  }
}

function isWrittenIn(block: Block, range: KeyRange, sequence: number): boolean {
  const wholeBlockIsNewer = (block.sequences[0] ?? 0) > sequence;
  if (wholeBlockIsNewer && block.keys.length === BLOCK_WRITES) {
    block.sorted ??= block.keys.slice().sort((left, right) => Buffer.compare(left, right));
    const first = block.sorted[lowerBound(block.sorted, range.from)];
    return first !== undefined && Buffer.compare(first, range.to) < 0;
  }
  return block.keys.some(
    (key, index) => (block.sequences[index] ?? 0) > sequence && Buffer.compare(key, range.from) >= 0 && Buffer.compare(key, range.to) < 0,
  );
}

/** FNV-1a. */
function slotOf(key: Buffer): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ (key[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 16)) & (HASH_SLOTS - 1);
}
