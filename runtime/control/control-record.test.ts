import { expect, it } from 'vitest';
import { decodeRecord, encodeRecord } from './control-record.ts';
import { tokenRecord, versionRecord } from './sample-records.ts';

const handler = {
  url: '/x',
  target: { kind: 'script' },
  secure: 'optional',
  redirectStatus: 302,
  login: 'admin',
  authFailAction: 'unauthorized',
  requireMatchingFile: false,
} as const;

it('keeps who may come to a handler', () => {
  const record = versionRecord('guestbook', 'default', 'v1', { handlers: [handler] });
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});

it('keeps what a datastore token may do, and refuses a right that it does not know', () => {
  for (const record of [tokenRecord('a', 'h'), tokenRecord('a', 'h', { access: 'read-only', expiresAtMs: 5 })]) {
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  }
  const bytes = Buffer.from(JSON.stringify({ form: 1, record: { ...tokenRecord('a', 'h'), access: 'admin' } }));
  expect(() => decodeRecord(bytes)).toThrow(/access/);
});

it('reads records of releases that knew no log-in as open to anybody', () => {
  const older = Object.fromEntries(Object.entries(handler).filter(([name]) => name !== 'login' && name !== 'authFailAction'));
  const record = { ...versionRecord('guestbook', 'default', 'v1'), handlers: [older] };
  const bytes = Buffer.from(JSON.stringify({ form: 1, record }));
  expect(decodeRecord(bytes)).toMatchObject({ handlers: [{ url: '/x', login: 'optional', authFailAction: 'redirect' }] });
});

it('refuses a record with a log-in that it does not know, rather than open the path', () => {
  const bytes = Buffer.from(
    JSON.stringify({ form: 1, record: { ...versionRecord('a', 'default', 'v1'), handlers: [{ ...handler, login: 'owner' }] } }),
  );
  expect(() => decodeRecord(bytes)).toThrow(/login/);
});
