// Under 50 requests a second, a fifth of them writes: deploys, and kill -9 of instances and of every role, five times
// each. Nothing that was acknowledged may be lost, no request may fail because of a deploy, and after a role was killed
// requests must succeed again within three seconds with nothing done by hand.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GuestbookLoad, type Sample } from './load.ts';
import { PlatformProcess, root, waitFor } from './platform-process.ts';

const TIMES = 5;
const RECOVERY_MS_MAX = 3_000;
const SETTLE_MS = 1_500;

interface Line {
  readonly what: string;
  readonly requests: number;
  readonly failed: number;
  readonly failedReads: number;
  readonly slowestRecoveryMs: number;
}

let platform: PlatformProcess;
let directory: string;
let load: GuestbookLoad;
const lines: Line[] = [];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const failures = (samples: readonly Sample[]): Sample[] => samples.filter((sample) => !sample.ok);

beforeAll(async () => {
  // The guestbook as it is, with one more page that lists every greeting, to check what was acknowledged.
  directory = await mkdtemp(join(tmpdir(), 'guestbook-'));
  await cp(join(root, 'sample-apps', 'guestbook'), directory, { recursive: true });
  const server = await readFile(join(directory, 'server.js'), 'utf8');
  const all = `app.get('/all', async (request, response) => {
    const { entities } = await datastore.gql('SELECT * FROM Greeting WHERE __key__ HAS ANCESTOR @guestbook ORDER BY date DESC', { guestbook });
    response.json(entities.map((entity) => entity.properties.content));
  });\n`;
  await writeFile(join(directory, 'server.js'), server.replace("app.post('/sign'", `${all}app.post('/sign'`));

  platform = await PlatformProcess.start();
  await platform.appengineJson('deploy', directory, '--app', 'guestbook');
  load = new GuestbookLoad(platform, { app: 'guestbook', perSecond: 50, writeEvery: 5 });
  load.start();
  await pause(SETTLE_MS);
});

afterAll(async () => {
  await load.stop();
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
  const rows = lines.map((line) => ({
    event: `${TIMES} × ${line.what}`,
    requests: line.requests,
    failed: line.failed,
    'failed reads': line.failedReads,
    'slowest recovery': `${Math.round(line.slowestRecoveryMs)} ms`,
  }));
  console.table(rows);
});

/**
 * Does something five times under the load, and says what became of the requests meanwhile. Recovery is the time from the
 * deed until the first request that was sent after it, and after the last failure, is answered as it should be.
 */
async function disturb(what: string, once: (round: number) => Promise<void>): Promise<{ samples: Sample[]; line: Line }> {
  const startMs = performance.now();
  let slowestRecoveryMs = 0;
  for (let round = 1; round <= TIMES; round++) {
    const atMs = performance.now();
    await once(round);
    const doneMs = performance.now();
    await pause(RECOVERY_MS_MAX + SETTLE_MS / 3);
    const lastFailureMs = Math.max(atMs, ...failures(load.samples).map((sample) => sample.startedMs));
    const recovered = load.samples.filter((sample) => sample.ok && sample.startedMs > lastFailureMs).map((sample) => sample.endedMs);
    slowestRecoveryMs = Math.max(slowestRecoveryMs, Math.min(...recovered, Infinity) - atMs);
    // Whatever is sent three seconds after must be served, and soon.
    await pause(SETTLE_MS / 3);
    const later = load.between(doneMs + RECOVERY_MS_MAX, performance.now());
    expect(failures(later)).toEqual([]);
  }
  await load.settled();
  const samples = load.since(startMs);
  const failed = failures(samples);
  const line = {
    what,
    requests: samples.length,
    failed: failed.length,
    failedReads: failed.filter((sample) => sample.kind === 'read').length,
    slowestRecoveryMs,
  };
  lines.push(line);
  return { samples, line };
}

function kill(pid: number | undefined, what: string): void {
  if (pid === undefined) throw new Error(`no process of ${what} to kill`);
  process.kill(pid, 'SIGKILL');
}

test('deploys: no request fails', async () => {
  const { samples } = await disturb('deploy', async (round) => {
    await platform.appengineJson('deploy', directory, '--app', 'guestbook', '--version', `round-${round}`);
  });
  expect(failures(samples)).toEqual([]);
  expect((await platform.http('guestbook', '/')).text).toContain(`round-${TIMES}`);
});

test('kill -9 of an instance: only writes under way on it may fail', async () => {
  const { samples } = await disturb('kill -9 of an instance', async () => {
    const instance = await waitFor('a ready instance', async () => {
      const { instances } = await platform.appengineJson<{ instances: { state: string; pid?: number }[] }>(
        'instances',
        'list',
        '--app',
        'guestbook',
      );
      return instances.find((each) => each.state === 'ready' && each.pid !== undefined);
    });
    kill(instance.pid, 'an instance');
  });
  expect(failures(samples).filter((sample) => sample.kind === 'read')).toEqual([]);
  expect(failures(samples).length).toBeLessThanOrEqual(TIMES * 3);
});

test('kill -9 of the control role: no request notices', async () => {
  const { samples } = await disturb('kill -9 of control', () => {
    kill(platform.rolePid('control'), 'control');
    return Promise.resolve();
  });
  expect(failures(samples)).toEqual([]);
});

test.each(['router', 'datastore'])('kill -9 of the %s role: requests succeed again within 3 s', async (role) => {
  const { line } = await disturb(`kill -9 of ${role}`, () => {
    kill(platform.rolePid(role), role);
    return Promise.resolve();
  });
  expect(line.slowestRecoveryMs).toBeLessThan(RECOVERY_MS_MAX);
});

test('every greeting that was acknowledged is there', async () => {
  await load.stop();
  const answer = await platform.http('guestbook', '/all');
  expect(answer.status).toBe(200);
  const stored = new Set(JSON.parse(answer.text) as string[]);
  const lost = load.acknowledged.filter((content) => !stored.has(content));
  console.log(
    `${load.samples.length} requests, ${load.acknowledged.length} greetings acknowledged, ${lost.length} lost, ${failures(load.samples).length} requests failed in all`,
  );
  for (const problem of new Set(failures(load.samples).map((sample) => `${sample.kind} ${sample.status} ${sample.problem}`)))
    console.log(`  ${problem}`);
  expect(load.acknowledged.length).toBeGreaterThan(100);
  expect(lost).toEqual([]);
  const doubled = (JSON.parse(answer.text) as string[]).length - stored.size;
  expect(doubled).toBe(0);
});
