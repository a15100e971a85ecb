// A whole platform whose datastore is in PostgreSQL, as a user starts it.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PostgresServer, postgresSkip } from '../contract/postgres-server.ts';
import { command, PlatformProcess, processesBelow, root, run, waitFor } from './platform-process.ts';

const skip = postgresSkip();
const PASSWORD = /[0-9a-f]{32}(?=@)/;
const PORTS = ['--port', '0', '--console-port', '0', '--datastore-port', '0'];

describe.skipIf(skip !== undefined)('a platform on PostgreSQL', () => {
  let server: PostgresServer;
  let platform: PlatformProcess;
  let password: string;

  beforeAll(async () => {
    server = await PostgresServer.start();
    password = PASSWORD.exec(server.url)?.[0] ?? '';
    platform = await PlatformProcess.start('--store', server.url);
    await platform.appengineJson('deploy', join(root, 'sample-apps', 'guestbook'), '--app', 'guestbook');
  });

  afterAll(async () => {
    await platform.remove();
    await server.stop();
  });

  const sign = async (content: string): Promise<void> => {
    const answer = await waitFor('a greeting is taken', async () => {
      const { status } = await platform.http('guestbook', '/sign', { method: 'POST', form: { content } });
      return status < 400 && status;
    });
    expect(answer).toBe(303);
  };
  const page = (): Promise<string> =>
    waitFor('the guestbook is there', async () => {
      const { status, text } = await platform.http('guestbook', '/');
      return status === 200 && text;
    });

  test('keeps what it acknowledged when its datastore, the server, or all of it is killed', async () => {
    await sign('before any kill');
    process.kill(platform.rolePid('datastore') ?? 0, 'SIGKILL');
    await sign('after the role');
    await server.kill('SIGKILL');
    await server.resume();
    await sign('after the server');
    await platform.killTree();
    await platform.start();
    const text = await page();
    for (const content of ['before any kill', 'after the role', 'after the server']) expect(text).toContain(content);
    const [{ count } = {}] = await server.query(`SELECT count(*)::int AS count FROM appengine_rows WHERE value IS NOT NULL`);
    expect(count).toBeGreaterThan(10);
  });

  test('shows its password to nobody', () => {
    expect(password).toHaveLength(32);
    expect(platform.output).not.toContain(password);
    expect(platform.output).toContain('Datastore   in the database 127.0.0.1:');
    const commandLines = [platform.pid, ...processesBelow(platform.pid).map(({ pid }) => pid)].map((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
    );
    expect(commandLines.length).toBeGreaterThan(3);
    expect(commandLines.filter((line) => line.includes(password))).toEqual([]);
    for (const role of ['control', 'router']) {
      expect(readFileSync(`/proc/${platform.rolePid(role) ?? 0}/environ`, 'utf8')).not.toContain(password);
    }
  });

  test.concurrent.each([
    ['another platform that is served from the same database', (url: string) => url, 'STORE_HELD', 'its lease ends in'],
    ['a wrong password', (url: string) => url.replace(PASSWORD, 'Wr0ngWr0ng'), 'STORE_REFUSED', 'Correct user, password'],
    ['a server that is not there', (url: string) => url.replace(/:\d+\//, ':1/'), 'STORE_UNREACHABLE', 'Start it, or correct the address'],
  ])('says what is wrong about %s, and how to mend it', async (_what, urlOf, code, words) => {
    const folder = await mkdtemp(join(tmpdir(), 'ae-store-'));
    const env = { ...process.env, FORCE_COLOR: undefined, APPENGINE_STORE: urlOf(server.url) };
    const result = await run(process.execPath, [command, 'serve', '--data-dir', folder, ...PORTS], { env, msMax: 40_000 });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`(${code})`);
    expect(result.stderr).toContain('To mend it: ');
    expect(result.stderr).toContain(words);
    expect(result.stdout + result.stderr).not.toMatch(new RegExp(`${password}|Wr0ngWr0ng`));
    await rm(folder, { recursive: true, force: true });
  });
});
