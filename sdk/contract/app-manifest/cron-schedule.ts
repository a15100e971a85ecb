// The text of a cron job's schedule → a frozen tree. Grammar: App Engine's (groc), and crontab's five fields.
//
//   schedule  := "every" N ("hours" | "minutes" | "mins") [ "from" TIME "to" TIME | "synchronized" ]
//              | ( "every" | ordinals ) ( "day" | weekdays ) [ "of" months ] TIME
//              | monthDays "of" months TIME
//              | crontab
//   ordinals  := ordinal ("," ordinal)*           1st … 5th, first … fifth
//   weekdays  := weekday ("," weekday)*           mon … sun, monday … sunday
//   monthDays := N ("," N)*                       1 … 31
//   months    := "month" | name ("," name)* | "quarter" | ordinals "month" "of" "quarter"
//   TIME      := HH:MM
//
// Words are lower-cased first. `hour`, `minute` and `min` are understood too, which App Engine's grammar has no words for.
// Read next: runtime/services/task-queue/next-run.ts, when it runs.
import { type CrontabSchedule, crontabSchedule } from './crontab-field.ts';
import { ScheduleProblem } from './schedule-problem.ts';

/** Which days: every day, days of the month, or the n-th such weekday of the month. */
export type DayRule =
  | { readonly kind: 'every' }
  | { readonly kind: 'month-days'; readonly days: readonly number[] }
  /** `ordinals` 1 … 5; weekdays 1 (Monday) … 7. */
  | { readonly kind: 'weekdays'; readonly ordinals: readonly number[]; readonly weekdays: readonly number[] };

export type CronSchedule =
  /** From the end of one run to the next. */
  | { readonly kind: 'interval'; readonly periodMinutes: number }
  /** Each `periodMinutes` from the start of a daily window, both its ends included; it may pass midnight. */
  | { readonly kind: 'grid'; readonly periodMinutes: number; readonly fromMinute: number; readonly toMinute: number }
  | { readonly kind: 'days'; readonly rule: DayRule; readonly months: readonly number[]; readonly minuteOfDay: number }
  | CrontabSchedule;

export type ScheduleReading = { readonly schedule: CronSchedule } | { readonly problem: string };

const MINUTES_PER_DAY = 1_440;
const ALL_MONTHS = Object.freeze([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const ALL_ORDINALS = Object.freeze([1, 2, 3, 4, 5]);
const ORDINAL_WORDS: readonly (readonly string[])[] = [
  ['1st', 'first'],
  ['2nd', 'second'],
  ['3rd', 'third'],
  ['4th', 'fourth'],
  ['5th', 'fifth'],
];
const WEEKDAY_WORDS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const MONTH_WORDS = [
  ...['january', 'february', 'march', 'april', 'may', 'june'],
  ...['july', 'august', 'september', 'october', 'november', 'december'],
];
const PERIOD_MINUTES: Readonly<Record<string, number>> = { hours: 60, hour: 60, minutes: 1, minute: 1, mins: 1, min: 1 };
const WORD = /\s*(,|[^\s,]+)/gy;
const SHOWN_CHARACTERS_MAX = 40;

/** Never throws: what cannot be understood comes back as words that complete "the schedule …". */
export function readCronSchedule(text: string): ScheduleReading {
  try {
    const lower = text.toLowerCase().trim();
    const isCrontab = /^[\d*]/.test(lower) && !lower.includes(':') && !/\bof\b/.test(lower);
    return { schedule: Object.freeze(isCrontab ? crontabSchedule(lower) : new ScheduleParser(lower).schedule()) };
  } catch (error) {
    if (error instanceof ScheduleProblem) return { problem: error.message };
    throw error;
  }
}

class ScheduleParser {
  readonly #words: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#words = [...text.matchAll(WORD)].map((match) => match[1] ?? '');
  }

  schedule(): CronSchedule {
    const schedule = this.#schedule();
    const rest = this.#peek();
    if (rest !== undefined) throw new ScheduleProblem(`has ${shown(rest)} after its end`);
    return schedule;
  }

  #schedule(): CronSchedule {
    if (this.#take('every')) return /^\d+$/.test(this.#peek() ?? '') ? this.#interval() : this.#days(ALL_ORDINALS);
    const first = this.#peek() ?? '';
    if (/^\d+$/.test(first)) return this.#monthDays();
    if (ordinalOf(first) !== undefined) return this.#days(this.#list('an ordinal such as 1st', ordinalOf));
    throw this.#wanted('"every", an ordinal such as 1st, a day of the month, or the five fields of crontab');
  }

  #interval(): CronSchedule {
    const count = this.#number(1, 99_999);
    const unit = PERIOD_MINUTES[this.#peek() ?? ''];
    if (unit === undefined) throw this.#wanted('"hours" or "minutes"');
    this.#at++;
    const periodMinutes = count * unit;
    if (this.#take('synchronized')) {
      if (periodMinutes > MINUTES_PER_DAY || MINUTES_PER_DAY % periodMinutes !== 0) {
        throw new ScheduleProblem('is synchronized, so that its period must divide 24 hours evenly');
      }
      return { kind: 'grid', periodMinutes, fromMinute: 0, toMinute: MINUTES_PER_DAY - 1 };
    }
    if (!this.#take('from')) return { kind: 'interval', periodMinutes };
    const fromMinute = this.#time();
    if (!this.#take('to')) throw this.#wanted('"to"');
    return { kind: 'grid', periodMinutes, fromMinute, toMinute: this.#time() };
  }

  #days(ordinals: readonly number[]): CronSchedule {
    const isDay = this.#take('day');
    const weekdays = isDay ? [] : this.#list('"day" or a weekday such as mon', weekdayOf);
    const months = this.#take('of') ? this.#months() : ALL_MONTHS;
    const minuteOfDay = this.#time();
    if (!isDay) return { kind: 'days', rule: { kind: 'weekdays', ordinals, weekdays }, months, minuteOfDay };
    const rule: DayRule = ordinals === ALL_ORDINALS ? { kind: 'every' } : { kind: 'month-days', days: ordinals };
    return { kind: 'days', rule, months, minuteOfDay };
  }

  #monthDays(): CronSchedule {
    const days = this.#list('a day of the month, 1 to 31', (word) => {
      const day = /^\d{1,2}$/.test(word) ? Number(word) : 0;
      return day >= 1 && day <= 31 ? day : undefined;
    });
    if (!this.#take('of')) throw this.#wanted('"of" and a month');
    const months = this.#months();
    return { kind: 'days', rule: { kind: 'month-days', days }, months, minuteOfDay: this.#time() };
  }

  #months(): readonly number[] {
    if (this.#take('month')) return ALL_MONTHS;
    if (this.#take('quarter')) return [1, 4, 7, 10];
    if (ordinalOf(this.#peek() ?? '') === undefined) return this.#list('"month", "quarter" or a month such as jan', monthOf);
    const ordinals = this.#list('1st, 2nd or 3rd', ordinalOf);
    if (ordinals.some((ordinal) => ordinal > 3)) throw new ScheduleProblem('names more than the 3rd month of a quarter');
    for (const word of ['month', 'of', 'quarter']) if (!this.#take(word)) throw this.#wanted('"month of quarter"');
    return ALL_MONTHS.filter((month) => ordinals.includes(((month - 1) % 3) + 1));
  }

  #list(wanted: string, valueOf: (word: string) => number | undefined): readonly number[] {
    const values = new Set<number>();
    do {
      const value = valueOf(this.#peek() ?? '');
      if (value === undefined) throw this.#wanted(wanted);
      values.add(value);
      this.#at++;
    } while (this.#take(','));
    return [...values].sort((a, b) => a - b);
  }

  #number(min: number, max: number): number {
    const word = this.#peek() ?? '';
    const value = /^\d{1,5}$/.test(word) ? Number(word) : NaN;
    if (!(value >= min && value <= max)) throw this.#wanted(`a number from ${min} to ${max}`);
    this.#at++;
    return value;
  }

  #time(): number {
    const match = /^(\d{1,2}):(\d{2})$/.exec(this.#peek() ?? '');
    const [hour, minute] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)];
    if (!(hour <= 23 && minute <= 59)) throw this.#wanted('a time of day such as 09:00');
    this.#at++;
    return hour * 60 + minute;
  }

  #peek(): string | undefined {
    return this.#words[this.#at];
  }

  #take(word: string): boolean {
    if (this.#peek() !== word) return false;
    this.#at++;
    return true;
  }

  #wanted(what: string): ScheduleProblem {
    const found = this.#peek();
    return new ScheduleProblem(`wants ${what}, not ${found === undefined ? 'its end' : shown(found)}`);
  }
}

function ordinalOf(word: string): number | undefined {
  const index = ORDINAL_WORDS.findIndex((words) => words.includes(word));
  return index < 0 ? undefined : index + 1;
}

function weekdayOf(word: string): number | undefined {
  return placeOf(word, WEEKDAY_WORDS);
}

function monthOf(word: string): number | undefined {
  return placeOf(word, MONTH_WORDS);
}

/** 1 for the first; by the whole word or its first three letters. */
function placeOf(word: string, words: readonly string[]): number | undefined {
  const index = words.findIndex((each) => each === word || each.slice(0, 3) === word);
  return index < 0 ? undefined : index + 1;
}

function shown(word: string): string {
  return JSON.stringify(word.length > SHOWN_CHARACTERS_MAX ? `${word.slice(0, SHOWN_CHARACTERS_MAX - 1)}…` : word);
}
