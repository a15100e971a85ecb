// `appengine memcache …` against the real console routes and viewer.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryCache } from '../../runtime/backends/cache-memory.ts';
import { MemcacheViewer } from '../../runtime/services/memcache-viewer.ts';
import { systemClock } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

let appengine: ConsoleCommands;
const memcache = (...words: string[]) => appengine.run('memcache', ...words, '--app', 'shop');

beforeAll(async () => {
  appengine = await startConsoleCommands({ memcache: new MemcacheViewer(new MemoryCache(systemClock), systemClock) });
});

afterAll(() => appengine.close());

test('a value is set, printed, counted, deleted', async () => {
  expect(await memcache('set', 'greeting', 'grüß dich', '--expires', '60')).toEqual({
    code: 0,
    out: 'Stored 11 B under "greeting".\n',
    err: '',
  });
  expect(await memcache('get', 'greeting')).toEqual({ code: 0, out: 'grüß dich\n', err: '' });
  expect((await memcache('stats')).out).toMatch(/hits +0, 0 B\nmisses +0\nitems +1\nsize +11 B of /);
  expect((await memcache('delete', 'greeting')).code).toBe(0);
  const gone = await memcache('get', 'greeting');
  expect(gone).toMatchObject({ code: 1, out: '' });
  expect(gone.err).toContain('NOT_FOUND');
});

test('namespaces, --json and flush', async () => {
  await memcache('set', 'k', '1', '--namespace', 'eu');
  expect(JSON.parse((await memcache('get', 'k', '--namespace', 'eu', '--json')).out)).toEqual({
    ...{ namespace: 'eu', key: 'k', value: '1', encoding: 'text', bytes: 1 },
  });
  expect((await memcache('get', 'k')).code).toBe(1);
  expect((await memcache('flush')).out).toBe('The cache of shop is empty.\n');
  expect(JSON.parse((await memcache('stats', '--json')).out)).toMatchObject({ items: 0, oldestItemAgeMs: 0 });
});

test('a value cannot drive the terminal', async () => {
  await memcache('set', 'k', '\u001b[2Jboo');
  expect((await memcache('get', 'k')).out).toBe('\ufffd[2Jboo\n');
});

test('what is wrong is said', async () => {
  expect((await memcache('set', 'k', 'v', '--expires', 'soon')).err).toContain('--expires is "soon"');
  const unknown = await appengine.run('memcache', 'stats', '--app', 'nobody', '--json');
  expect(unknown.code).toBe(1);
  expect(JSON.parse(unknown.err)).toMatchObject({ error: { code: 'APP_NOT_FOUND' } });
});
