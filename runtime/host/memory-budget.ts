// How much memory all instances of this machine may come to, so that neither the machine nor the platform runs out of it.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const MiB = 1024 * 1024;

/**
 * Of what an instance does not use of its limit, this share is kept free for it. Counting whole limits would let a machine
 * of 2 GiB run three idle F1 of 40 MiB each; counting use alone would leave nothing for any of them to grow. A quarter means
 * that of instances that idle far below their limits one in four may grow to it at the same time.
 */
const GROWTH_SHARE = 0.25;
/** Above this share of the budget in real use, idle instances go though nobody asks for their room. */
const PRESSURE_SHARE = 0.9;

export interface MemoryUse {
  readonly memoryBytesMax: number;
  /** Absent before it was read for the first time, and where the machine cannot tell: then only the share of the limit counts. */
  readonly memoryBytes?: number | undefined;
}

/**
 * Bytes for instances on a machine of `totalBytes`: what the platform itself (300 MB idle, with memcache's 256 MiB) and the
 * page cache of its datastore need stays out of it.
 */
export function defaultMemoryBudget(totalBytes: number): number {
  return Math.max(LIMITS.memoryBudgetBytesMin, Math.floor(totalBytes * 0.9) - LIMITS.platformMemoryBytes);
}

/** What one instance counts. */
function chargeOf({ memoryBytesMax, memoryBytes = 0 }: MemoryUse): number {
  const used = Math.min(memoryBytes, memoryBytesMax);
  return used + GROWTH_SHARE * (memoryBytesMax - used);
}

export interface MemoryState {
  readonly budgetBytes: number;
  /** What is used, as far as the machine can tell. */
  readonly usedBytes: number;
  /** What is used and what is kept free for those who use it. */
  readonly committedBytes: number;
}

export class MemoryBudget {
  readonly bytes: number;

  /** Infinity is no bound. */
  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** Throws INSTANCE_MEMORY when an instance with that limit has no room beside those that are there. */
  admit(memoryBytesMax: number, present: Iterable<MemoryUse>): void {
    const { committedBytes } = this.state(present);
    const freeBytes = Math.max(0, this.bytes - committedBytes);
    if (memoryBytesMax <= freeBytes) return;
    const reason = `it needs ${mebibytes(memoryBytesMax)}, and ${mebibytes(freeBytes)} of ${mebibytes(this.bytes)} for apps are free`;
    throw new PlatformError('INSTANCE_MEMORY', reason, { details: { neededBytes: memoryBytesMax, freeBytes, budgetBytes: this.bytes } });
  }

  state(present: Iterable<MemoryUse>): MemoryState {
    let usedBytes = 0;
    let committedBytes = 0;
    for (const use of present) {
      usedBytes += use.memoryBytes ?? 0;
      committedBytes += chargeOf(use);
    }
    return { budgetBytes: this.bytes, usedBytes, committedBytes: Math.ceil(committedBytes) };
  }

  /** Whether so much is really used that idle instances should go. */
  isPressed(present: Iterable<MemoryUse>): boolean {
    return this.state(present).usedBytes > PRESSURE_SHARE * this.bytes;
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MiB).toLocaleString('en-US')} MiB`;
}
