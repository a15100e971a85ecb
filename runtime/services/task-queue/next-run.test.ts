import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { type CronSchedule, readCronSchedule } from '../../../sdk/contract/app-manifest/cron-schedule.ts';
import { nextRunMs } from './next-run.ts';

function scheduleOf(text: string): CronSchedule {
  const reading = readCronSchedule(text);
  if ('problem' in reading) throw new Error(`${text}: ${reading.problem}`);
  return reading.schedule;
}

/** `count` runs after a local time, as local times with their offset. */
function runs(text: string, timezone: string, after: string, count = 1): string[] {
  const schedule = scheduleOf(text);
  let atMs = Temporal.ZonedDateTime.from(`${after}[${timezone}]`).epochMilliseconds;
  return Array.from({ length: count }, () => {
    atMs = nextRunMs(schedule, timezone, atMs) ?? NaN;
    const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone);
    return at.toString({ timeZoneName: 'never', smallestUnit: 'minute' });
  });
}

describe('nextRunMs', () => {
  it.each([
    ['every 12 hours', 'UTC', '2026-03-01T05:17', ['2026-03-01T17:17+00:00', '2026-03-02T05:17+00:00']],
    ['every 5 minutes', 'UTC', '2026-03-01T05:17', ['2026-03-01T05:22+00:00']],
    [
      'every 2 hours from 10:00 to 14:00',
      'UTC',
      '2026-03-01T09:00',
      ['2026-03-01T10:00+00:00', '2026-03-01T12:00+00:00', '2026-03-01T14:00+00:00', '2026-03-02T10:00+00:00'],
    ],
    [
      'every 45 minutes from 23:00 to 01:00',
      'UTC',
      '2026-03-01T22:00',
      ['2026-03-01T23:00+00:00', '2026-03-01T23:45+00:00', '2026-03-02T00:30+00:00', '2026-03-02T23:00+00:00'],
    ],
    ['every 45 minutes from 23:00 to 01:00', 'UTC', '2026-03-02T00:10', ['2026-03-02T00:30+00:00']],
    [
      'every 8 hours synchronized',
      'UTC',
      '2026-03-01T05:17',
      ['2026-03-01T08:00+00:00', '2026-03-01T16:00+00:00', '2026-03-02T00:00+00:00'],
    ],
    ['every 24 hours synchronized', 'UTC', '2026-03-01T00:00', ['2026-03-02T00:00+00:00']],
    ['every day 00:00', 'Europe/Berlin', '2026-03-01T00:00', ['2026-03-02T00:00+01:00']],
    ['every monday 09:00', 'UTC', '2026-03-02T09:00', ['2026-03-09T09:00+00:00']],
    [
      '2nd,third mon,wed,thu of march 17:00',
      'UTC',
      '2026-01-01T00:00',
      [
        '2026-03-09T17:00+00:00',
        '2026-03-11T17:00+00:00',
        '2026-03-12T17:00+00:00',
        '2026-03-16T17:00+00:00',
        '2026-03-18T17:00+00:00',
        '2026-03-19T17:00+00:00',
        '2027-03-08T17:00+00:00',
      ],
    ],
    [
      '1st monday of sep,oct,nov 17:00',
      'UTC',
      '2026-09-08T00:00',
      ['2026-10-05T17:00+00:00', '2026-11-02T17:00+00:00', '2027-09-06T17:00+00:00'],
    ],
    ['1 of jan,april 09:00', 'UTC', '2026-01-01T09:00', ['2026-04-01T09:00+00:00', '2027-01-01T09:00+00:00']],
    ['1,8,15,22 of month 09:00', 'UTC', '2026-02-22T09:00', ['2026-03-01T09:00+00:00', '2026-03-08T09:00+00:00']],
    ['31 of month 10:00', 'UTC', '2026-01-31T10:00', ['2026-03-31T10:00+00:00', '2026-05-31T10:00+00:00']],
    ['29 of feb 10:00', 'UTC', '2096-02-29T10:00', ['2104-02-29T10:00+00:00']],
    ['fifth sunday of feb 10:00', 'UTC', '2088-02-29T10:00', ['2128-02-29T10:00+00:00']],
    ['1st day of month 00:00', 'UTC', '2026-01-01T00:00', ['2026-02-01T00:00+00:00']],
    ['1st monday of quarter 01:00', 'UTC', '2026-01-31T00:00', ['2026-04-06T01:00+00:00', '2026-07-06T01:00+00:00']],
    [
      '1 of 1st,third month of quarter 01:00',
      'UTC',
      '2026-01-31T00:00',
      ['2026-03-01T01:00+00:00', '2026-04-01T01:00+00:00', '2026-06-01T01:00+00:00'],
    ],
    ['*/15 9-17 * * mon-fri', 'UTC', '2026-03-06T17:45', ['2026-03-09T09:00+00:00', '2026-03-09T09:15+00:00']],
    ['0 0 13 * fri', 'UTC', '2026-03-01T00:00', ['2026-03-06T00:00+00:00', '2026-03-13T00:00+00:00', '2026-03-20T00:00+00:00']],
    ['30 4 1,15 * *', 'UTC', '2026-03-01T04:30', ['2026-03-15T04:30+00:00', '2026-04-01T04:30+00:00']],
    ['0 12 * jan,jul 0', 'UTC', '2026-01-26T00:00', ['2026-07-05T12:00+00:00']],
  ])('%s in %s after %s', (text, timezone, after, wanted) => {
    expect(runs(text, timezone, after, wanted.length)).toEqual(wanted);
  });

  it('never runs on a day that no month has', () => {
    expect(nextRunMs(scheduleOf('31 of feb,apr 00:00'), 'UTC', 0)).toBeUndefined();
  });
});

// New York: 2026-03-08 02:00 → 03:00, 2026-11-01 02:00 → 01:00. Lord Howe moves by half an hour, 2026-04-05 and 2026-10-04.
describe('when the clock changes', () => {
  it.each([
    ['every day 02:30', 'America/New_York', '2026-03-07T12:00-05:00', ['2026-03-08T03:30-04:00', '2026-03-09T02:30-04:00']],
    ['every day 01:30', 'America/New_York', '2026-10-31T12:00-04:00', ['2026-11-01T01:30-04:00', '2026-11-02T01:30-05:00']],
    ['30 2 * * *', 'America/New_York', '2026-03-07T12:00-05:00', ['2026-03-08T03:30-04:00', '2026-03-09T02:30-04:00']],
    ['30 1 * * *', 'America/New_York', '2026-10-31T12:00-04:00', ['2026-11-01T01:30-04:00', '2026-11-02T01:30-05:00']],
    [
      '30 * * * *',
      'America/New_York',
      '2026-11-01T00:30-04:00',
      ['2026-11-01T01:30-04:00', '2026-11-01T01:30-05:00', '2026-11-01T02:30-05:00'],
    ],
    ['30 * * * *', 'America/New_York', '2026-03-08T00:30-05:00', ['2026-03-08T01:30-05:00', '2026-03-08T03:30-04:00']],
    [
      'every 30 minutes synchronized',
      'America/New_York',
      '2026-11-01T01:00-04:00',
      ['2026-11-01T01:30-04:00', '2026-11-01T01:00-05:00', '2026-11-01T01:30-05:00', '2026-11-01T02:00-05:00'],
    ],
    ['every 30 minutes synchronized', 'America/New_York', '2026-03-08T01:30-05:00', ['2026-03-08T03:00-04:00', '2026-03-08T03:30-04:00']],
    [
      'every 60 minutes from 02:30 to 05:30',
      'America/New_York',
      '2026-03-08T00:00-05:00',
      ['2026-03-08T03:30-04:00', '2026-03-08T04:30-04:00', '2026-03-08T05:30-04:00', '2026-03-09T02:30-04:00'],
    ],
    ['every 12 hours', 'America/New_York', '2026-03-07T20:00-05:00', ['2026-03-08T09:00-04:00']],
    ['every day 02:15', 'Australia/Lord_Howe', '2026-10-03T12:00+10:30', ['2026-10-04T02:45+11:00', '2026-10-05T02:15+11:00']],
    ['every day 01:45', 'Australia/Lord_Howe', '2026-04-04T12:00+11:00', ['2026-04-05T01:45+11:00', '2026-04-06T01:45+10:30']],
    ['every day 00:00', 'America/Sao_Paulo', '2018-11-03T12:00-03:00', ['2018-11-04T01:00-02:00', '2018-11-05T00:00-02:00']],
  ])('%s in %s after %s', (text, timezone, after, wanted) => {
    expect(runs(text, timezone, after, wanted.length)).toEqual(wanted);
  });
});

const number = (min: number, max: number): fc.Arbitrary<string> => fc.integer({ min, max }).map(String);
const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([h, m]) => `${h}:${String(m).padStart(2, '0')}`);
const list = (...words: string[]): fc.Arbitrary<string> =>
  fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 3 }).map((each) => each.join(','));
const days = list('mon', 'tuesday', 'wed', 'thu', 'friday', 'sat', 'sun');
const months = fc.oneof(
  list('jan', 'february', 'mar', 'jun', 'oct', 'december'),
  fc.constantFrom('month', 'quarter', '2nd month of quarter'),
);
const cronField = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant('*'),
    number(min, max),
    fc.constant(`*/7`),
    fc.tuple(number(min, min + 2), number(min + 3, max)).map(([a, b]) => `${a}-${b}`),
  );
const texts = fc.oneof(
  number(1, 5_000).map((n) => `every ${n} minutes`),
  fc.tuple(number(1, 300), time, time).map(([n, from, to]) => `every ${n} mins from ${from} to ${to}`),
  fc.constantFrom(1, 2, 5, 30, 60, 720, 1_440).map((n) => `every ${n} minutes synchronized`),
  fc.tuple(fc.constantFrom('every', '1st', 'second,4th'), days, months, time).map(([o, d, m, t]) => `${o} ${d} of ${m} ${t}`),
  fc
    .tuple(list('1', '15', '28', '31'), months, time)
    .map(([d, m, t]) => `${d} of ${m} ${t}`)
    .filter((text) => !/^(28|31)(,31)? of feb/.test(text)),
  fc.tuple(cronField(0, 59), cronField(0, 23), cronField(1, 28), cronField(1, 12), cronField(0, 6)).map((fields) => fields.join(' ')),
);
const zones = fc.constantFrom(
  'UTC',
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/Sao_Paulo',
);
const moments = fc.integer({ min: Date.UTC(2005, 0), max: Date.UTC(2035, 0) });

describe('for every schedule, zone and moment', () => {
  it('the next run is later, and is the next for every moment in between', () => {
    fc.assert(
      fc.property(texts, zones, moments, fc.double({ min: 0, max: 1, noNaN: true }), (text, zone, afterMs, part) => {
        const schedule = scheduleOf(text);
        const nextMs = nextRunMs(schedule, zone, afterMs);
        if (nextMs === undefined) return text.includes(' of ') || / (29|30|31) /.test(text);
        expect(nextMs).toBeGreaterThan(afterMs);
        if (schedule.kind === 'interval') return true;
        const betweenMs = Math.min(nextMs - 1, Math.floor(afterMs + (nextMs - afterMs) * part));
        expect(nextRunMs(schedule, zone, betweenMs)).toBe(nextMs);
        return true;
      }),
      { numRuns: 400 },
    );
  });

  it('later moments never have earlier next runs', () => {
    fc.assert(
      fc.property(texts, zones, moments, fc.integer({ min: 0, max: 40 * 86_400_000 }), (text, zone, afterMs, later) => {
        const schedule = scheduleOf(text);
        const [first, second] = [nextRunMs(schedule, zone, afterMs), nextRunMs(schedule, zone, afterMs + later)];
        if (first !== undefined && second !== undefined) expect(second).toBeGreaterThanOrEqual(first);
      }),
      { numRuns: 400 },
    );
  });
});
