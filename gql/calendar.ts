// Calendar dates and times, always UTC, to microseconds since 1970.

export interface CalendarTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour?: number;
  readonly minute?: number;
  /** 0 to 59: leap seconds have no timestamp. */
  readonly second?: number;
  readonly micros?: number;
}

const within = (value: number, least: number, most: number): boolean => Number.isInteger(value) && value >= least && value <= most;

/** Undefined when there is no such date or time in the years 1 to 9999. */
export function microsOf({ year, month, day, hour = 0, minute = 0, second = 0, micros = 0 }: CalendarTime): bigint | undefined {
  const possible =
    within(year, 1, 9999) &&
    within(month, 1, 12) &&
    within(day, 1, 31) &&
    within(hour, 0, 23) &&
    within(minute, 0, 59) &&
    within(second, 0, 59) &&
    within(micros, 0, 999_999);
  if (!possible) return undefined;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for those of the 1900s.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  return BigInt(date.getTime()) * 1000n + BigInt(micros);
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const MINUTE_MICROS = 60_000_000n;
const YEAR_1_MICROS = -62_135_596_800_000_000n;
const YEAR_10000_MICROS = 253_402_300_800_000_000n;

/** Cloud GQL's DATETIME text; like Google's, without an offset of zero, which is written Z. */
export function microsOfRfc3339(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const [fraction = '', sign, offsetHours = '', offsetMinutes = ''] = match.slice(7);
  const local = microsOf({ year, month, day, hour, minute, second, micros: Number(fraction.padEnd(6, '0')) });
  if (local === undefined || sign === undefined) return local;
  const [hours, minutes] = [Number(offsetHours), Number(offsetMinutes)];
  if (hours > 23 || minutes > 59 || hours + minutes === 0) return undefined;
  const offset = BigInt(hours * 60 + minutes) * MINUTE_MICROS;
  const micros = sign === '+' ? local - offset : local + offset;
  return micros >= YEAR_1_MICROS && micros < YEAR_10000_MICROS ? micros : undefined;
}
