import { describe, expect, it } from 'vitest';
import { readUserRecord, type UserRecord, withApp, writeUserRecord } from './user-record.ts';

const range = { first: 1_000, count: 4 };
const apps = (record: UserRecord | undefined) => Object.fromEntries(record?.uids ?? []);
const after = (...names: string[]) =>
  names.reduce<UserRecord | undefined>((record, name) => record && withApp(record, name), readUserRecord('', range));

describe('the record of the users of apps', () => {
  it('gives each app a number of its own, and never the first', () => {
    expect(apps(after('hello', 'guestbook'))).toEqual({ hello: 1_001, guestbook: 1_002 });
    expect(apps(after('hello', 'guestbook', 'hello'))).toEqual({ hello: 1_001, guestbook: 1_002 });
  });

  it('has no number for one app too many, rather than one twice', () => {
    expect(apps(after('a', 'b', 'c'))).toEqual({ a: 1_001, b: 1_002, c: 1_003 });
    expect(after('a', 'b', 'c', 'd')).toBeUndefined();
  });

  it('comes back from its file as it was', () => {
    const record = after('hello', '~images');
    expect(record && writeUserRecord(record)).toBe('range 1000 4\n1001 hello\n1002 ~images\n');
    expect(record && readUserRecord(writeUserRecord(record), range)).toEqual(record);
  });

  it.each([
    ['of another machine', 'range 2000 4\n2001 hello\n'],
    ['with a number twice', 'range 1000 4\n1001 hello\n1001 other\n'],
    ['with an app twice', 'range 1000 4\n1001 hello\n1002 hello\n'],
    ['with a number outside', 'range 1000 4\n999 hello\n'],
    ['that says root', 'range 1000 4\n0 hello\n'],
    ['that is torn', 'range 1000 4\n1001 hel lo\n'],
  ])('begins anew after one %s', (_what, text) => {
    expect(apps(readUserRecord(text, range))).toEqual({});
  });
});
