// Timestamps as RFC 3339 text, to the microsecond. Date knows no more than milliseconds, so the fraction is kept apart.

const MICROS_PER_SECOND = 1_000_000n;
const MICROS_PER_MILLISECOND = 1_000n;
const FORM = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const LONG_YEAR = /^((?:[+-]\d{6}|0000)-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{3}|\d{6}))?Z$/;
const BEYOND = /^(-?\d{1,25})(s|us)$/;
const FIRST_MICROS = -62_135_596_800_000_000n;
const LAST_MICROS = 253_402_300_799_999_999n;
const FRACTION_DIGITS = 6;

/** In UTC, with no, three or six decimals. Outside the years 0001 to 9999, where RFC 3339 has no form, with a sign and six digits of the year, or as seconds (`8640000000001s`) or microseconds. */
export function formatTimestamp(micros: bigint): string {
  const within = ((micros % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const seconds = (micros - within) / MICROS_PER_SECOND;
  const date = new Date(Number(seconds) * 1000);
  // Beyond what a Date can hold no calendar is of use.
  if (Number.isNaN(date.getTime())) return within === 0n ? `${seconds}s` : `${micros}us`;
  const whole = date.toISOString().slice(0, -'.000Z'.length);
  if (within === 0n) return `${whole}Z`;
  const digits =
    within % MICROS_PER_MILLISECOND === 0n
      ? String(within / MICROS_PER_MILLISECOND).padStart(3, '0')
      : String(within).padStart(FRACTION_DIGITS, '0');
  return `${whole}.${digits}Z`;
}

/** Microseconds since 1970, finer digits cut; undefined for text that is no time of the years 0001 to 9999. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = FORM.exec(text);
  const [, day = '', time = '', fraction = '', sign, hours = '0', minutes = '0'] = match ?? [];
  const ms = Date.parse(`${day}T${time}Z`);
  // 30 February and 24:00:00 are read by Date as another moment.
  if (!match || Number.isNaN(ms) || new Date(ms).toISOString() !== `${day}T${time}.000Z`) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  const micros = BigInt(ms - offsetMs) * MICROS_PER_MILLISECOND + BigInt(fraction.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, '0'));
  return micros >= FIRST_MICROS && micros <= LAST_MICROS ? micros : undefined;
}

/** As `parseTimestamp`, and whatever `formatTimestamp` writes. */
export function parseStoredTimestamp(text: string): bigint | undefined {
  const [, whole, unit] = BEYOND.exec(text) ?? [];
  if (whole !== undefined) return BigInt(whole) * (unit === 's' ? MICROS_PER_SECOND : 1n);
  const [, day, fraction = ''] = LONG_YEAR.exec(text) ?? [];
  if (day === undefined) return parseTimestamp(text);
  const ms = Date.parse(`${day}Z`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * MICROS_PER_MILLISECOND + BigInt(fraction.padEnd(FRACTION_DIGITS, '0'));
}
