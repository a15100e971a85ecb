import { describe, expect, it } from 'vitest';
import { checkAppId } from '../contract/app-manifest/label.ts';
import { formatDevRow } from './dev-log.ts';
import { appIdOf } from './dev.ts';
import { Terminal } from './terminal.ts';

it.each([
  ['shop', 'shop'],
  ['My Shop', 'my-shop'],
  ['2026_guest.book-', 'guest-book'],
  ['--', 'app'],
  ['Füße', 'f-e'],
  ['a-very-long-name-of-a-directory-for-an-app', 'a-very-long-name-of-a-director'],
])('makes of the directory %j the app %s', (name, id) => {
  expect(appIdOf(name)).toBe(id);
  expect(checkAppId(id)).toBe(id);
});

describe('a line of the log', () => {
  const stream = { write: () => undefined, isTerminal: false, columns: 80 };
  const terminal = new Terminal({ stdout: stream, stderr: stream, environment: {} });
  const common = { atMs: Date.UTC(2026, 0, 2, 3, 4, 5), service: 'default', version: 'v1', instanceId: 'i1' };

  it('is what the app printed, without what would drive the terminal', () => {
    expect(formatDevRow({ ...common, kind: 'app', stream: 'stderr', text: 'a\u001b[2Jb' }, terminal)).toMatch(
      /^\d\d:\d\d:\d\d \| a\ufffd\[2Jb$/,
    );
  });

  it('is what it was asked and how that went', () => {
    const request = { requestId: 'r', method: 'GET', target: '/x', status: 403, latencyMs: 1.6, responseBytes: 5, isLoadingRequest: true };
    expect(formatDevRow({ ...common, ...request, kind: 'request', errorCode: 'ADMIN_REQUIRED' }, terminal)).toMatch(
      /^\d\d:\d\d:\d\d 403 GET \/x 2 ms loading ADMIN_REQUIRED$/,
    );
  });
});
