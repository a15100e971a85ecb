// Numbers as people read them, each with its unit.
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** 12,345 */
export const countText = (value: number): string => whole.format(value);

/** At most three digits that matter: 0.0123, 12.3, 1,230. */
export function shortNumberText(value: number): string {
  return Math.abs(value) >= 1_000 ? whole.format(value) : compact.format(value);
}

const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const DECIMAL_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

function scaled(bytes: number, base: number, units: readonly string[]): string {
  if (Math.abs(bytes) < 1) return bytes === 0 ? '0 B' : `${compact.format(bytes)} B`;
  let step = 0;
  while (step < units.length - 1 && Math.abs(bytes) >= base ** (step + 1)) step += 1;
  return `${shortNumberText(bytes / base ** step)} ${units[step] ?? ''}`;
}

/** 1.5 MiB: memory and what lies on disks. */
export const bytesText = (bytes: number): string => scaled(bytes, 1024, BINARY_UNITS);

/** 1.5 MB: what is billed, since quotas and prices are in GB. */
export const billedBytesText = (bytes: number): string => scaled(bytes, 1000, DECIMAL_UNITS);

/** 850 µs, 12.3 ms, 4.2 s */
export function durationText(ms: number): string {
  if (ms === 0) return '0 ms';
  if (Math.abs(ms) < 1) return `${shortNumberText(ms * 1_000)} µs`;
  if (Math.abs(ms) < 1_000) return `${shortNumberText(ms)} ms`;
  if (Math.abs(ms) < 120_000) return `${shortNumberText(ms / 1_000)} s`;
  return Math.abs(ms) < 7_200_000 ? `${shortNumberText(ms / 60_000)} min` : `${shortNumberText(ms / 3_600_000)} h`;
}

/** 33.3 % of 0 … 1 */
export function shareText(share: number): string {
  return `${compact.format(Math.round(share * 1_000) / 10)} %`;
}

const MICROS = 1_000_000;

/** Exact, with two decimals or, where cents do not do, six: $2.50, $0.000123. So amounts under each other align. */
export function moneyText(micros: number): string {
  const sign = micros < 0 ? '-' : '';
  const dollars = Math.trunc(Math.abs(micros) / MICROS);
  const fraction = String(Math.abs(micros) % MICROS).padStart(6, '0');
  return `${sign}$${whole.format(dollars)}.${fraction.endsWith('0000') ? fraction.slice(0, 2) : fraction}`;
}

/** Micro-dollars of what somebody typed, or undefined when it is no amount of dollars with at most six decimals. */
export function microsOf(text: string): number | undefined {
  const match = /^\$?(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text.trim().replaceAll(',', ''));
  return match === null ? undefined : Number(match[1]) * MICROS + Number((match[2] ?? '').padEnd(6, '0'));
}
