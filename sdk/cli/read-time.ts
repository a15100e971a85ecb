// A time on the command line: as RFC 3339 text, or back from now.
import { PlatformError } from '../contract/errors.ts';
import { formatTimestamp, parseTimestamp } from '../contract/timestamp-text.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** RFC 3339 text for what was given, so that all pages of a query are of one time. Throws USAGE. */
export function absoluteTime(text: string, nowMs: number): string {
  const [, amount, unit = ''] = /^-(\d{1,6})([smh])$/.exec(text) ?? [];
  if (amount !== undefined) return formatTimestamp(BigInt(nowMs - Number(amount) * (UNIT_MS[unit] ?? 0)) * 1_000n);
  if (parseTimestamp(text) === undefined) {
    throw new PlatformError('USAGE', `--read-time is "${text}", want a time such as 2026-01-01T12:00:00Z, or -10m`);
  }
  return text;
}
