// Rows read and written in each minute of the last 24 hours, in pieces of an hour that are there once something happened in
// them: 480 bytes an hour, at most 12 kB a tablet.
// A minute is a whole number since 1970. Reading and writing them: tablet-rows.ts.
import { LIMITS } from '../../sdk/contract/limits.ts';

const HOUR_MINUTES = 60;
const COUNT_MAX = 0xffffffff;

/** For each minute of one hour two counts: reads, writes. */
export type HourCounts = Uint32Array;

interface Hour {
  readonly counts: HourCounts;
  isChanged: boolean;
}

export interface LoadSeries {
  /** The first minute of the first step. */
  readonly fromMinute: number;
  readonly stepMinutes: number;
  /** One sum a step; the last step holds the minute at hand. */
  readonly reads: Uint32Array;
  readonly writes: Uint32Array;
}

export interface LoadFigures {
  readonly reads: number;
  readonly writes: number;
  readonly readsPeak: number;
  readonly writesPeak: number;
}

export function newHour(): HourCounts {
  return new Uint32Array(2 * HOUR_MINUTES);
}

export class LoadHistory {
  readonly #hours = new Map<number, Hour>();
  /** Whose rows may be on disk and should not. */
  readonly #gone = new Set<number>();

  add(minute: number, reads: number, writes: number): void {
    if (reads === 0 && writes === 0) return;
    const hour = this.#hour(Math.floor(minute / HOUR_MINUTES));
    const at = 2 * (minute % HOUR_MINUTES);
    addTo(hour.counts, at, reads);
    addTo(hour.counts, at + 1, writes);
    hour.isChanged = true;
  }

  /** As read from disk. */
  restore(hour: number, counts: HourCounts): void {
    this.#hours.set(hour, { counts, isChanged: false });
  }

  /** Forgets what is older than the history is long, and (the clock was set back) what is later than `minute`. */
  keepUntil(minute: number): void {
    const last = Math.floor(minute / HOUR_MINUTES);
    const first = Math.floor((minute - LIMITS.tabletHistoryMinutes + 1) / HOUR_MINUTES);
    for (const [hour, { counts }] of this.#hours) {
      if (hour < first || hour > last) this.#forget(hour);
      else if (hour === last) {
        const later = counts.subarray(2 * ((minute % HOUR_MINUTES) + 1));
        if (!later.some((count) => count > 0)) continue;
        later.fill(0);
        this.#hour(hour).isChanged = true;
      }
    }
  }

  /** Moves `share` (0 … 1) of every count into a history of its own; the sums of both are what they were. */
  divide(share: number): LoadHistory {
    const other = new LoadHistory();
    for (const [number, hour] of this.#hours) {
      const moved = hour.counts.map((count) => Math.floor(count * share));
      if (!moved.some((count) => count > 0)) continue;
      other.#hours.set(number, { counts: moved, isChanged: true });
      moved.forEach((count, at) => {
        hour.counts[at] = (hour.counts[at] ?? 0) - count;
      });
      hour.isChanged = true;
    }
    return other;
  }

  absorb(other: LoadHistory): void {
    for (const [number, { counts }] of other.#hours) {
      const hour = this.#hour(number);
      counts.forEach((count, at) => {
        addTo(hour.counts, at, count);
      });
      hour.isChanged = true;
    }
  }

  copy(): LoadHistory {
    const copy = new LoadHistory();
    for (const [number, { counts, isChanged }] of this.#hours) copy.#hours.set(number, { counts: counts.slice(), isChanged });
    return copy;
  }

  hours(): ReadonlyMap<number, { readonly counts: HourCounts }> {
    return this.#hours;
  }

  /** Hours whose rows are to be deleted. */
  get gone(): ReadonlySet<number> {
    return this.#gone;
  }

  /** Hours to write and hours whose rows to delete since the last call. */
  takeChanges(): { readonly changed: readonly (readonly [hour: number, counts: HourCounts])[]; readonly gone: readonly number[] } {
    const changed: (readonly [number, HourCounts])[] = [];
    for (const [number, hour] of this.#hours) {
      if (!hour.isChanged) continue;
      changed.push([number, hour.counts]);
      hour.isChanged = false;
    }
    const gone = [...this.#gone];
    this.#gone.clear();
    return { changed, gone };
  }

  /** After a write of what `takeChanges` gave has failed: gives it again. */
  giveBack({ changed, gone }: ReturnType<LoadHistory['takeChanges']>): void {
    for (const [number] of changed) {
      const hour = this.#hours.get(number);
      if (hour) hour.isChanged = true;
    }
    for (const number of gone) if (!this.#hours.has(number)) this.#gone.add(number);
  }

  /** Of the last full minute before `minute`, and the highest minute in sight. */
  figures(minute: number): LoadFigures {
    let [readsPeak, writesPeak] = [0, 0];
    const first = minute - LIMITS.tabletHistoryMinutes + 1;
    for (const [number, { counts }] of this.#hours) {
      for (let at = Math.max(0, first - number * HOUR_MINUTES); at < HOUR_MINUTES; at++) {
        readsPeak = Math.max(readsPeak, counts[2 * at] ?? 0);
        writesPeak = Math.max(writesPeak, counts[2 * at + 1] ?? 0);
      }
    }
    const counts = this.#hours.get(Math.floor((minute - 1) / HOUR_MINUTES))?.counts;
    const at = 2 * ((minute - 1) % HOUR_MINUTES);
    return { reads: counts?.[at] ?? 0, writes: counts?.[at + 1] ?? 0, readsPeak, writesPeak };
  }

  /** `stepMinutes` must divide the history's length. */
  series(minute: number, stepMinutes: number): LoadSeries {
    const steps = LIMITS.tabletHistoryMinutes / stepMinutes;
    const fromMinute = (Math.floor(minute / stepMinutes) + 1 - steps) * stepMinutes;
    const reads = new Uint32Array(steps);
    const writes = new Uint32Array(steps);
    for (const [number, { counts }] of this.#hours) {
      for (let at = 0; at < HOUR_MINUTES; at++) {
        const step = Math.floor((number * HOUR_MINUTES + at - fromMinute) / stepMinutes);
        if (step < 0 || step >= steps) continue;
        addTo(reads, step, counts[2 * at] ?? 0);
        addTo(writes, step, counts[2 * at + 1] ?? 0);
      }
    }
    return { fromMinute, stepMinutes, reads, writes };
  }

  #hour(number: number): Hour {
    const known = this.#hours.get(number);
    if (known) return known;
    const hour = { counts: newHour(), isChanged: false };
    this.#hours.set(number, hour);
    this.#gone.delete(number);
    return hour;
  }

  #forget(number: number): void {
    this.#hours.delete(number);
    this.#gone.add(number);
  }
}

function addTo(counts: Uint32Array, at: number, more: number): void {
  counts[at] = Math.min(COUNT_MAX, (counts[at] ?? 0) + more);
}
