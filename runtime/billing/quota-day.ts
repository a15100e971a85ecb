// Days of the quota clock: from midnight to midnight in the operator's time zone, 23 or 25 hours long where clocks change.
import { Temporal } from 'temporal-polyfill';
import { PlatformError } from '../../sdk/contract/errors.ts';

interface Bounds {
  readonly day: string;
  readonly startMs: number;
  readonly endMs: number;
}

export class QuotaDays {
  readonly timeZone: string;
  /** Nearly every question is about the day of the one before. */
  #last: Bounds | undefined;

  /** Throws INVALID_ARGUMENT for a time zone that the tz database does not have. */
  constructor(timeZone: string) {
    if (!isTimeZone(timeZone)) throw new PlatformError('INVALID_ARGUMENT', `"${timeZone}" is no time zone`);
    this.timeZone = timeZone;
  }

  /** The date, YYYY-MM-DD, of the day in which `atMs` lies. */
  dayOf(atMs: number): string {
    return this.#boundsOf(atMs).day;
  }

  /** The first millisecond of the next day. */
  endOf(atMs: number): number {
    return this.#boundsOf(atMs).endMs;
  }

  /** The `count` days up to the one of `atMs`, newest first. */
  daysUpTo(atMs: number, count: number): readonly string[] {
    const newest = Temporal.PlainDate.from(this.dayOf(atMs));
    return Array.from({ length: count }, (_, days) => newest.subtract({ days }).toString());
  }

  #boundsOf(atMs: number): Bounds {
    const last = this.#last;
    if (last && atMs >= last.startMs && atMs < last.endMs) return last;
    const start = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(this.timeZone).startOfDay();
    const bounds = {
      day: start.toPlainDate().toString(),
      startMs: start.epochMilliseconds,
      endMs: start.add({ days: 1 }).startOfDay().epochMilliseconds,
    };
    this.#last = bounds;
    return bounds;
  }
}

export function isTimeZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}
