// When a cron job runs next: a pure function of its schedule, its time zone and the moment after which it shall run.
// Daylight saving as App Engine has it: a time that does not exist moves on by the gap, one that comes twice counts once,
// the first time. Windows ("every 5 minutes from … to …") count real minutes from their start. Crontab runs in every hour
// that the clock shows when its hour is `*`, so in both of two equal ones.
import { Temporal } from 'temporal-polyfill';
import { type CronSchedule, type DayRule } from '../../../sdk/contract/app-manifest/cron-schedule.ts';

const MINUTE_MS = 60_000;
const MINUTES_PER_HOUR = 60;
const HOURS_PER_DAY = 24;
/** The rarest that runs at all is a fifth weekday of February: 28 years apart, 40 over a year like 2100. */
const MONTHS_AHEAD_MAX = 12 * 45;
/** No clock change is longer, so no wall time this much later comes before in real time. */
const CLOCK_CHANGE_MINUTES_MAX = 180;

/** The first moment after `afterMs` at which it runs; undefined when it never does. Milliseconds since 1970. */
export function nextRunMs(schedule: CronSchedule, timezone: string, afterMs: number): number | undefined {
  switch (schedule.kind) {
    case 'interval':
      return afterMs + schedule.periodMinutes * MINUTE_MS;
    case 'grid':
      return nextInGrid(schedule, timezone, afterMs);
    case 'days':
    case 'crontab':
      return nextOnDays(schedule, timezone, afterMs);
  }
}

function nextInGrid(grid: CronSchedule & { readonly kind: 'grid' }, timezone: string, afterMs: number): number {
  const today = dateAt(afterMs, timezone);
  const startOn = (days: number): number => instantOf(today.add({ days }), grid.fromMinute, timezone, 'compatible');
  const periodMs = grid.periodMinutes * MINUTE_MS;
  for (const day of [-1, 0, 1]) {
    const startMs = startOn(day);
    if (startMs > afterMs) return startMs;
    const candidateMs = startMs + (Math.floor((afterMs - startMs) / periodMs) + 1) * periodMs;
    if (candidateMs < startOn(day + 1) && isInWindow(minuteOfDayAt(candidateMs, timezone), grid)) return candidateMs;
  }
  return startOn(2);
}

function isInWindow(minute: number, { fromMinute, toMinute }: { readonly fromMinute: number; readonly toMinute: number }): boolean {
  if (fromMinute <= toMinute) return minute >= fromMinute && minute <= toMinute;
  return minute >= fromMinute || minute <= toMinute;
}

function nextOnDays(schedule: CronSchedule & { readonly kind: 'days' | 'crontab' }, timezone: string, afterMs: number): number | undefined {
  // A day earlier too: a time that did not exist yesterday may have moved into today.
  const first = dateAt(afterMs, timezone).subtract({ days: 1 });
  let month = first.toPlainYearMonth();
  for (let count = 0; count < MONTHS_AHEAD_MAX; count++, month = month.add({ months: 1 })) {
    if (!schedule.months.includes(month.month)) continue;
    for (const day of daysOf(schedule, month)) {
      const date = month.toPlainDate({ day });
      if (Temporal.PlainDate.compare(date, first) < 0) continue;
      const runMs = nextOnDay(schedule, date, timezone, afterMs);
      if (runMs !== undefined) return runMs;
    }
  }
  return undefined;
}

/** Days of the month that match, in order. */
function daysOf(schedule: CronSchedule & { readonly kind: 'days' | 'crontab' }, month: Temporal.PlainYearMonth): number[] {
  const firstWeekday = month.toPlainDate({ day: 1 }).dayOfWeek;
  const all = Array.from({ length: month.daysInMonth }, (_, index) => index + 1);
  const weekdayOf = (day: number): number => ((firstWeekday + day - 2) % 7) + 1;
  if (schedule.kind === 'days') return all.filter((day) => matches(schedule.rule, day, weekdayOf(day)));
  const { days, weekdays, isDayRestricted, isWeekdayRestricted } = schedule;
  return all.filter((day) => {
    const isDay = days.includes(day);
    const isWeekday = weekdays.includes(weekdayOf(day));
    return isDayRestricted && isWeekdayRestricted ? isDay || isWeekday : isDay && isWeekday;
  });
}

function matches(rule: DayRule, day: number, weekday: number): boolean {
  switch (rule.kind) {
    case 'every':
      return true;
    case 'month-days':
      return rule.days.includes(day);
    case 'weekdays':
      return rule.weekdays.includes(weekday) && rule.ordinals.includes(Math.ceil(day / 7));
  }
}

function nextOnDay(
  schedule: CronSchedule & { readonly kind: 'days' | 'crontab' },
  date: Temporal.PlainDate,
  timezone: string,
  afterMs: number,
): number | undefined {
  if (schedule.kind === 'days') {
    const runMs = instantOf(date, schedule.minuteOfDay, timezone, 'compatible');
    return runMs > afterMs ? runMs : undefined;
  }
  const isEveryHour = schedule.hours.length === HOURS_PER_DAY;
  const local = Temporal.Instant.fromEpochMilliseconds(Math.floor(afterMs)).toZonedDateTimeISO(timezone);
  const isToday = Temporal.PlainDate.compare(local.toPlainDate(), date) === 0;
  const fromMinute = isToday ? minuteOfDay(local) - CLOCK_CHANGE_MINUTES_MAX : 0;
  let foundMs: number | undefined;
  let lastMinute = Infinity;
  for (const hour of schedule.hours) {
    for (const minute of schedule.minutes) {
      const wallMinute = hour * MINUTES_PER_HOUR + minute;
      if (wallMinute < fromMinute) continue;
      if (wallMinute > lastMinute) return foundMs;
      for (const choice of isEveryHour ? (['earlier', 'later'] as const) : (['compatible'] as const)) {
        const runMs = instantOf(date, wallMinute, timezone, choice);
        if (runMs <= afterMs || (foundMs !== undefined && runMs >= foundMs)) continue;
        // In a gap, "earlier" is an hour that belongs to other minutes of the clock.
        if (isEveryHour && minuteOfDayAt(runMs, timezone) !== wallMinute) continue;
        foundMs = runMs;
        lastMinute = Math.min(lastMinute, wallMinute + CLOCK_CHANGE_MINUTES_MAX);
      }
    }
  }
  return foundMs;
}

function instantOf(date: Temporal.PlainDate, minute: number, timezone: string, disambiguation: 'compatible' | 'earlier' | 'later'): number {
  return date
    .toPlainDateTime({ hour: Math.floor(minute / MINUTES_PER_HOUR), minute: minute % MINUTES_PER_HOUR })
    .toZonedDateTime(timezone, { disambiguation }).epochMilliseconds;
}

function dateAt(atMs: number, timezone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(timezone).toPlainDate();
}

function minuteOfDayAt(atMs: number, timezone: string): number {
  return minuteOfDay(Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(timezone));
}

function minuteOfDay({ hour, minute }: Temporal.ZonedDateTime): number {
  return hour * MINUTES_PER_HOUR + minute;
}
