import { describe, expect, it } from 'vitest';
import { readCronSchedule } from './cron-schedule.ts';

const ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

describe('readCronSchedule', () => {
  it.each([
    ['every 12 hours', { kind: 'interval', periodMinutes: 720 }],
    ['every 5 mins', { kind: 'interval', periodMinutes: 5 }],
    ['Every  1 Minute', { kind: 'interval', periodMinutes: 1 }],
    ['every 5 minutes from 10:00 to 14:00', { kind: 'grid', periodMinutes: 5, fromMinute: 600, toMinute: 840 }],
    ['every 2 hours synchronized', { kind: 'grid', periodMinutes: 120, fromMinute: 0, toMinute: 1439 }],
    ['every day 00:00', { kind: 'days', rule: { kind: 'every' }, months: ALL, minuteOfDay: 0 }],
    ['every day of march 9:05', { kind: 'days', rule: { kind: 'every' }, months: [3], minuteOfDay: 545 }],
    [
      'every monday 09:00',
      { kind: 'days', rule: { kind: 'weekdays', ordinals: [1, 2, 3, 4, 5], weekdays: [1] }, months: ALL, minuteOfDay: 540 },
    ],
    [
      '2nd,third mon, wed , thu of march 17:00',
      { kind: 'days', rule: { kind: 'weekdays', ordinals: [2, 3], weekdays: [1, 3, 4] }, months: [3], minuteOfDay: 1020 },
    ],
    ['1 of jan,april 09:00', { kind: 'days', rule: { kind: 'month-days', days: [1] }, months: [1, 4], minuteOfDay: 540 }],
    ['1st day of month 00:00', { kind: 'days', rule: { kind: 'month-days', days: [1] }, months: ALL, minuteOfDay: 0 }],
    ['15 of quarter 01:00', { kind: 'days', rule: { kind: 'month-days', days: [15] }, months: [1, 4, 7, 10], minuteOfDay: 60 }],
    [
      '15 of 1st,third month of quarter 01:00',
      { kind: 'days', rule: { kind: 'month-days', days: [15] }, months: [1, 3, 4, 6, 7, 9, 10, 12], minuteOfDay: 60 },
    ],
    [
      '*/30 0-2,22 1,15 JAN-mar sun,7',
      {
        kind: 'crontab',
        minutes: [0, 30],
        hours: [0, 1, 2, 22],
        days: [1, 15],
        months: [1, 2, 3],
        weekdays: [7],
        isDayRestricted: true,
        isWeekdayRestricted: true,
      },
    ],
    [
      '5/20 * * * *',
      {
        kind: 'crontab',
        minutes: [5, 25, 45],
        hours: Array.from({ length: 24 }, (_, hour) => hour),
        days: Array.from({ length: 31 }, (_, day) => day + 1),
        months: ALL,
        weekdays: [1, 2, 3, 4, 5, 6, 7],
        isDayRestricted: false,
        isWeekdayRestricted: false,
      },
    ],
  ])('reads %s', (text, schedule) => {
    expect(readCronSchedule(text)).toEqual({ schedule });
  });

  it.each([
    ['', /wants "every".*not its end/],
    ['every', /wants "day" or a weekday/],
    ['every 0 hours', /a number from 1 to 99999, not "0"/],
    ['every 12 days', /"hours" or "minutes", not "days"/],
    ['every 7 hours synchronized', /divide 24 hours evenly/],
    ['every 25 hours synchronized', /divide 24 hours evenly/],
    ['every 5 minutes from 10:00', /wants "to", not its end/],
    ['every 5 minutes from 10:00 to 24:00', /a time of day such as 09:00, not "24:00"/],
    ['every 5 minutes 10:00', /has "10:00" after its end/],
    ['every day', /wants a time of day/],
    ['every weekday 09:00', /"weekday"/],
    ['6th monday of month 09:00', /not "6th"/],
    ['1st,2nd 09:00', /"day" or a weekday/],
    ['4th day of 4th month of quarter 09:00', /3rd month/],
    ['32 of jan 09:00', /1 to 31, not "32"/],
    ['1 jan 09:00', /"of" and a month/],
    ['1 of foo 09:00', /"foo"/],
    ['* * * *', /five fields .*, not 4/],
    ['60 * * * *', /the minute "60"; it goes from 0 to 59/],
    ['5-2 * * * *', /the minute "5-2"/],
    ['* * * foo *', /the month "foo"/],
    ['*/0 * * * *', /the minute/],
    [`every monday${',monday'.repeat(50)} 25:00`, /25:00/],
  ])('says what is wrong with %j', (text, problem) => {
    const reading = readCronSchedule(text);
    expect('problem' in reading ? reading.problem : reading).toMatch(problem);
  });
});
