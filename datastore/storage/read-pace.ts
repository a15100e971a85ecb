// Whether single reads may be made in the calling thread. From memory that takes a few microseconds, less than handing the
// read to another thread; from a cold disk it would hold up everything else. So: in this thread while such reads are quick on
// average, else elsewhere for a while.
import { type Clock } from '../../sdk/support/clock.ts';

const AVERAGE_MS_MAX = 0.05;
/** About as many reads make up the average. */
const AVERAGE_READS = 128;
/** A read counts as this much at most, so that one that waited for the processor proves nothing. */
const READ_MS_MAX = 2;
const PAUSE_MS = 250;

export class ReadPace {
  readonly #clock: Clock;
  #averageMs = 0;
  #resumeMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes `read` here if that is likely to be quick; undefined when it should be made elsewhere. */
  try<T>(read: () => T): { readonly value: T } | undefined {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#resumeMs) return undefined;
    const value = read();
    const endMs = this.#clock.monotonicMs();
    this.#averageMs += (Math.min(endMs - startMs, READ_MS_MAX) - this.#averageMs) / AVERAGE_READS;
    if (this.#averageMs > AVERAGE_MS_MAX) {
      this.#resumeMs = endMs + PAUSE_MS;
      // Halfway: the next reads here decide soon, either way.
      this.#averageMs = AVERAGE_MS_MAX / 2;
    }
    return { value };
  }
}
