// A moment of a log on the command line: back from now, or as RFC 3339 text, or a day.
import { PlatformError } from '../contract/errors.ts';
import { parseTimestamp } from '../contract/timestamp-text.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MICROS_PER_MS = 1_000n;

/** Milliseconds since 1970. Throws USAGE naming the flag. */
export function logTime(flag: string, text: string, nowMs: number): number {
  const [, amount, unit = ''] = /^-?(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * (UNIT_MS[unit] ?? 0);
  const micros = parseTimestamp(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (micros !== undefined && micros >= 0n) return Number(micros / MICROS_PER_MS);
  throw new PlatformError('USAGE', `${flag} is "${text}", want a time such as 2026-01-31T12:00:00Z, or 10m, 2h, 3d before now`);
}
