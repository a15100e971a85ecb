// The main job, as a user does it: start, deploy, open, sign, restart, pull the plug.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, isAlive, PlatformProcess, processesBelow, root, run, waitFor } from './platform-process.ts';

const GUESTBOOK = join(root, 'sample-apps', 'guestbook');

interface Deployed {
  readonly url: string;
  readonly version: string;
  readonly uploadedFiles: number;
  readonly unchangedFiles: number;
}

let platform: PlatformProcess;
let first: Deployed;

beforeAll(async () => {
  platform = await PlatformProcess.start();
  first = await platform.appengineJson<Deployed>('deploy', GUESTBOOK, '--app', 'guestbook');
});

afterAll(() => platform.remove());

describe('the guestbook', () => {
  test('is served by host name, with its version and instance in the footer', async () => {
    const answer = await platform.http('guestbook', '/');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('<h1>Guestbook</h1>');
    const footer = /<footer>Version <code>([^<]+)<\/code>, instance <code>([0-9a-f]+)<\/code><\/footer>/.exec(answer.text);
    expect(footer?.[1]).toBe(first.version);
    const { instances } = await platform.appengineJson<{ instances: { id: string; state: string; cpuMicros?: number }[] }>(
      'instances',
      'list',
      '--app',
      'guestbook',
    );
    expect(instances.map((instance) => instance.id)).toContain(footer?.[2]);
  });

  test('stores greetings and shows the newest ten first', async () => {
    for (let number = 1; number <= 12; number++) {
      const answer = await platform.http('guestbook', '/sign', { form: { author: 'Ada', content: `greeting no ${number}.` } });
      expect(answer.status).toBe(303);
      expect(answer.headers['location']).toBe('/');
    }
    const { text } = await platform.http('guestbook', '/');
    const shown = [...text.matchAll(/greeting no (\d+)\./g)].map((match) => Number(match[1]));
    expect(shown).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  });

  test('escapes what people write and keeps any Unicode', async () => {
    const content = '<script>alert(1)</script> Grüße 🎉 \u0000 end';
    expect((await platform.http('guestbook', '/sign', { form: { author: 'Zoë & Co', content } })).status).toBe(303);
    const { text } = await platform.http('guestbook', '/');
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt; Grüße 🎉');
    expect(text).toContain('Zoë &amp; Co');
    expect(text).not.toContain('<script>alert');
  });

  test('has its style sheet from the router, not from an instance', async () => {
    const css = readFileSync(join(GUESTBOOK, 'static', 'guestbook.css'), 'utf8');
    const answer = await platform.http('guestbook', '/static/guestbook.css');
    expect(answer).toMatchObject({ status: 200, text: css });
    expect(answer.headers['content-type']).toMatch(/^text\/css/);
    expect(answer.headers['cache-control']).toContain('max-age=3600');
    expect(answer.headers['etag']).toMatch(/^"/);
    expect((await platform.http('guestbook', '/static/missing.css')).status).toBe(404);
  });

  test('runs in a sandbox of its own', async () => {
    const sandboxed = processesBelow(platform.pid).filter((row) => row.commandLine.includes('server.js'));
    expect(sandboxed.length).toBeGreaterThan(0);
    expect(processesBelow(platform.pid).some((row) => row.commandLine.startsWith('bwrap') || row.commandLine.includes('/bwrap'))).toBe(
      true,
    );
  });

  test('is metered from outside', async () => {
    const { instances } = await waitFor('CPU time in the list of instances', async () => {
      const list = await platform.appengineJson<{ instances: { cpuMicros?: number }[] }>('instances', 'list', '--app', 'guestbook');
      return list.instances.some((instance) => (instance.cpuMicros ?? 0) > 0) && list;
    });
    expect(instances.length).toBeGreaterThan(0);
  });
});

describe('the command line', () => {
  test('deploys the same directory as another app, uploading nothing twice', async () => {
    const second = await platform.appengineJson<Deployed>('deploy', GUESTBOOK, '--app', 'second');
    expect(second.url).toBe(`http://second.localhost:${platform.routerPort}/`);
    expect(second.uploadedFiles).toBe(0);
    expect(second.unchangedFiles).toBeGreaterThan(3);
    const answer = await platform.http('second', '/');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('Nobody has signed yet');
  });

  test('lists apps and versions and follows logs', async () => {
    const { apps } = await platform.appengineJson<{ apps: { id: string }[] }>('apps', 'list');
    expect(apps.map((app) => app.id)).toContain('guestbook');
    const { versions } = await platform.appengineJson<{ versions: { version: string; trafficShare: number }[] }>(
      'versions',
      'list',
      '--app',
      'guestbook',
    );
    expect(versions).toEqual([expect.objectContaining({ version: first.version, trafficShare: 1 })]);
    const logs = await waitFor('the request in the log', async () => {
      const result = await platform.appengine('logs', 'tail', '--app', 'guestbook', '--no-follow', '--lines', '200');
      return result.stdout.includes('POST /sign') && result.stdout.includes('The guestbook is open.') && result;
    });
    expect(logs.code).toBe(0);
  });

  test('keeps a version reachable at its own host without giving it traffic', async () => {
    await platform.appengineJson('deploy', GUESTBOOK, '--app', 'guestbook', '--version', 'quiet', '--no-promote');
    expect((await platform.http('guestbook', '/')).text).toContain(`Version <code>${first.version}</code>`);
    expect((await platform.http('quiet-dot-default-dot-guestbook', '/')).text).toContain('Version <code>quiet</code>');
  });
});

describe('durability', () => {
  test('greetings survive a kill -9 of the whole process tree right after the reply', async () => {
    for (let round = 1; round <= 3; round++) {
      const content = `written just before the plug was pulled, round ${round}`;
      expect((await platform.http('guestbook', '/sign', { form: { author: 'Grace', content } })).status).toBe(303);
      await platform.killTree();
      await platform.start();
      expect((await platform.http('guestbook', '/')).text).toContain(content);
    }
  });

  test('an orderly stop drains, leaves no process behind, and everything is there after the next start', async () => {
    const pids = processesBelow(platform.pid).map((row) => row.pid);
    expect(pids.length).toBeGreaterThan(3);
    expect(await platform.stop()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    await platform.start();
    expect((await platform.http('guestbook', '/')).text).toContain('written just before the plug was pulled, round 3');
  });
});

describe('a second start', () => {
  test('on the same data directory is refused with who holds it', async () => {
    const result = await run(process.execPath, [
      command,
      'serve',
      '--data-dir',
      platform.dataDirectory,
      '--port',
      '0',
      '--console-port',
      '0',
      '--datastore-port',
      '0',
    ]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain(`process ${platform.pid}`);
    expect(result.stderr).toContain('--data-dir');
    expect((await platform.http('guestbook', '/')).status).toBe(200);
  });

  test.each([
    ['--port', () => platform.routerPort],
    ['--console-port', () => Number(new URL(platform.consoleUrl).port)],
    ['--datastore-port', () => Number(platform.datastoreAddress.split(':')[1])],
  ])('on a busy port names the port and %s', async (flag, port) => {
    const ports = { '--port': '0', '--console-port': '0', '--datastore-port': '0', [flag]: String(port()) };
    const result = await run(process.execPath, [
      command,
      'serve',
      '--data-dir',
      `${platform.dataDirectory}-other`,
      ...Object.entries(ports).flat(),
    ]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain(String(port()));
    expect(result.stderr).toContain(flag);
  });
});
