// Crontab's five fields: minute hour day month weekday, each `*`, numbers, ranges, steps, lists; months and weekdays by name too.
import { ScheduleProblem } from './schedule-problem.ts';

export interface CrontabSchedule {
  readonly kind: 'crontab';
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  readonly weekdays: readonly number[];
  /** When both are restricted, either makes a day match (crontab's rule). */
  readonly isDayRestricted: boolean;
  readonly isWeekdayRestricted: boolean;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const MINUTE: Field = { name: 'minute', min: 0, max: 59 };
const HOUR: Field = { name: 'hour', min: 0, max: 23 };
const DAY: Field = { name: 'day of the month', min: 1, max: 31 };
const MONTH: Field = { name: 'month', min: 1, max: 12, words: MONTHS };
/** 7 is Sunday too. */
const WEEKDAY: Field = { name: 'weekday', min: 0, max: 7, words: WEEKDAYS };

const PART = /^(\*|[a-z0-9]{1,3}(?:-[a-z0-9]{1,3})?)(?:\/(\d{1,2}))?$/;

/** `text` in lower case. Throws ScheduleProblem. */
export function crontabSchedule(text: string): CrontabSchedule {
  const fields = text.split(/\s+/);
  if (fields.length !== 5) throw new ScheduleProblem(`wants five fields (minute hour day month weekday), not ${fields.length}`);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  return {
    kind: 'crontab',
    minutes: values(minute, MINUTE),
    hours: values(hour, HOUR),
    days: values(day, DAY),
    months: values(month, MONTH),
    weekdays: [...new Set(values(weekday, WEEKDAY).map((value) => (value === 0 ? 7 : value)))].sort((a, b) => a - b),
    isDayRestricted: !day.startsWith('*'),
    isWeekdayRestricted: !weekday.startsWith('*'),
  };
}

function values(text: string, field: Field): readonly number[] {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = PART.exec(part);
    const [range = '', step] = match?.slice(1) ?? [];
    const [first, last] =
      range === '*' ? [field.min, field.name === WEEKDAY.name ? 6 : field.max] : bounds(range, step !== undefined, field);
    const by = step === undefined ? 1 : Number(step);
    if (!match || first === undefined || last === undefined || first > last || by < 1) {
      throw new ScheduleProblem(`has the ${field.name} ${JSON.stringify(part.slice(0, 40))}; it goes from ${field.min} to ${field.max}`);
    }
    for (let value = first; value <= last; value += by) found.add(value);
  }
  return [...found].sort((a, b) => a - b);
}

/** `5/10` means from 5 to the end in steps of 10. */
function bounds(range: string, hasStep: boolean, field: Field): readonly (number | undefined)[] {
  const [from = '', to] = range.split('-');
  const first = valueOf(from, field);
  if (to !== undefined) return [first, valueOf(to, field)];
  return [first, hasStep ? field.max : first];
}

function valueOf(text: string, { min, max, words }: Field): number | undefined {
  const index = words?.indexOf(text) ?? -1;
  if (index >= 0) return index + (words === MONTHS ? 1 : 0);
  const value = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}
