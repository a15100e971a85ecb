import { describe, expect, it } from 'vitest';
import { checkAppId, checkHostLabel, checkService, checkVersion } from './label.ts';

const BAD = [
  '',
  'A',
  '-a',
  'a-',
  '../a',
  'a/b',
  'a.b',
  'a_b',
  'a\n',
  'ä',
  'latest',
  'ah-admin',
  'a-dot-b',
  'dot',
  'dot-a',
  'x'.repeat(10_000),
  'a\0',
];

describe('names', () => {
  it.each(['a', 'guestbook', 'my-app-2', 'a'.repeat(30)])('accepts the app id %s', (id) => {
    expect(checkAppId(id)).toBe(id);
  });

  it.each([...BAD, '1a', 'default', 'a'.repeat(31)])('refuses the app id %j', (id) => {
    expect(() => checkAppId(id)).toThrow(expect.objectContaining({ code: 'APP_ID_INVALID' }));
  });

  it.each(['default', 'api', '1', 'a'.repeat(63)])('accepts the service %s', (name) => {
    expect(checkService(name)).toBe(name);
  });

  it.each([...BAD, 'a'.repeat(64)])('refuses the service %j', (name) => {
    expect(() => checkService(name)).toThrow(expect.objectContaining({ code: 'LABEL_INVALID' }));
  });

  it.each([...BAD, 'default'])('refuses the version %j', (name) => {
    expect(() => checkVersion(name)).toThrow(expect.objectContaining({ code: 'LABEL_INVALID' }));
  });

  it('holds the three names together to one DNS label', () => {
    checkHostLabel('a'.repeat(20), 'b'.repeat(13), 'c'.repeat(20));
    expect(() => {
      checkHostLabel('a'.repeat(20), 'b'.repeat(14), 'c'.repeat(20));
    }).toThrow(/64 characters/);
  });
});
