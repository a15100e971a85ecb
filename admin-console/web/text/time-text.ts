// Moments as people read them: near ones by their distance, all of them exactly on demand.
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const minutes = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const days = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });
const zoneOf = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });

const STEPS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** 14 Nov 2026, 12:00:01, in the reader's zone. */
export const absoluteText = (atMs: number): string => absolute.format(atMs);

/** 12:00:01 */
export const clockText = (atMs: number): string => clock.format(atMs);

/** 12:00 */
export const minuteText = (atMs: number): string => minutes.format(atMs);

/** 14 Nov, of a day that is given as its midnight in UTC. */
export const dayText = (atMs: number): string => days.format(atMs);

/** Name of the reader's zone, such as GMT+1. */
export function localZoneText(atMs: number): string {
  return zoneOf.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** 3 min ago, in 2 h, just now. */
export function relativeText(atMs: number, nowMs: number): string {
  const distance = Math.abs(atMs - nowMs);
  if (distance < 1_500) return 'just now';
  const text = ageText(distance);
  return atMs < nowMs ? `${text} ago` : `in ${text}`;
}

/** 3 min, 2 h, 5 d: the largest unit that fits. */
export function ageText(ms: number): string {
  for (const [unit, length] of STEPS) {
    if (ms >= length) return `${Math.floor(ms / length)} ${unit}`;
  }
  return '0 s';
}

/**
 * The moment at which a quota day ends, on the platform's own clock. That clock's zone is not told, but follows: the day named
 * `day` ends at midnight of its zone.
 */
export function platformMidnightText(day: string, resetsAtMs: number): string {
  const midnightMs = Date.parse(`${day}T00:00:00Z`) + 86_400_000;
  const offsetMinutes = Math.round((midnightMs - resetsAtMs) / 60_000);
  const hours = Math.floor(Math.abs(offsetMinutes) / 60);
  const minutes = Math.abs(offsetMinutes) % 60;
  const zone =
    offsetMinutes === 0
      ? 'UTC'
      : `UTC${offsetMinutes < 0 ? '−' : '+'}${hours}${minutes === 0 ? '' : `:${String(minutes).padStart(2, '0')}`}`;
  return `${new Date(midnightMs).toISOString().slice(0, 10)} 00:00 ${zone}`;
}
