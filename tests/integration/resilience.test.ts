// Under 100 requests a second, a fifth of them writes: twenty deploys, twenty kill -9 of instances, and three of every
// role. Nothing that was acknowledged may be lost; no request may fail because of a deploy, and none because of an instance
// but the writes that were under way on it; after a role was killed requests must succeed again within three seconds with
// nothing done by hand.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GuestbookLoad, type Sample } from './load.ts';
import { PlatformProcess, root, waitFor } from './platform-process.ts';

const PER_SECOND = 100;
const DEPLOYS = 20;
const INSTANCE_KILLS = 20;
const ROLE_KILLS = 3;
const RECOVERY_MS_MAX = 3_000;
/** Between two deploys, or two deaths of an instance: traffic moves, and the load goes on. */
const ROUND_PAUSE_MS = 400;
/** From kill(2) to the death of what runs inside, on a machine that is busy. */
const DEATH_MS_MAX = 250;
const SETTLE_MS = 1_500;

interface Line {
  readonly what: string;
  readonly requests: number;
  readonly failed: number;
  readonly failedReads: number;
  readonly slowestRecoveryMs: number | undefined;
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
  load = new GuestbookLoad(platform, { app: 'guestbook', perSecond: PER_SECOND, writeEvery: 5 });
  load.start();
  await pause(SETTLE_MS);
});

afterAll(async () => {
  await load.stop();
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
  const rows = lines.map((line) => ({
    event: line.what,
    requests: line.requests,
    failed: line.failed,
    'failed reads': line.failedReads,
    'slowest recovery': line.slowestRecoveryMs === undefined ? '' : `${Math.round(line.slowestRecoveryMs)} ms`,
  }));
  console.table(rows);
});

/** Does something again and again under the load, and says what became of the requests meanwhile. */
async function repeat(what: string, times: number, once: (round: number) => Promise<void>): Promise<Sample[]> {
  const startMs = performance.now();
  for (let round = 1; round <= times; round++) {
    await once(round);
    await pause(ROUND_PAUSE_MS);
  }
  await load.settled();
  return report(what, times, load.since(startMs));
}

/**
 * The same for what nobody may notice for longer than three seconds: after each time there is that long to recover. Recovery
 * is the time from the deed until the first request that was sent after it, and after the last failure, is answered as it
 * should be.
 */
async function disturb(what: string, once: () => void): Promise<{ samples: Sample[]; slowestRecoveryMs: number }> {
  const startMs = performance.now();
  let slowestRecoveryMs = 0;
  for (let round = 1; round <= ROLE_KILLS; round++) {
    const atMs = performance.now();
    once();
    await pause(RECOVERY_MS_MAX + SETTLE_MS / 3);
    const lastFailureMs = Math.max(atMs, ...failures(load.samples).map((sample) => sample.startedMs));
    const recovered = load.samples.filter((sample) => sample.ok && sample.startedMs > lastFailureMs).map((sample) => sample.endedMs);
    slowestRecoveryMs = Math.max(slowestRecoveryMs, Math.min(...recovered, Infinity) - atMs);
    // Whatever is sent three seconds after must be served, and soon.
    await pause(SETTLE_MS / 3);
    const later = load.between(atMs + RECOVERY_MS_MAX, performance.now());
    expect(failures(later)).toEqual([]);
  }
  await load.settled();
  return { samples: report(what, ROLE_KILLS, load.since(startMs), slowestRecoveryMs), slowestRecoveryMs };
}

function report(what: string, times: number, samples: Sample[], slowestRecoveryMs?: number): Sample[] {
  const failed = failures(samples);
  const failedReads = failed.filter((sample) => sample.kind === 'read').length;
  lines.push({ what: `${times} × ${what}`, requests: samples.length, failed: failed.length, failedReads, slowestRecoveryMs });
  return samples;
}

function kill(pid: number | undefined, what: string): void {
  if (pid === undefined) throw new Error(`no process of ${what} to kill`);
  process.kill(pid, 'SIGKILL');
}

test('deploys: no request fails', async () => {
  const samples = await repeat('deploy', DEPLOYS, async (round) => {
    await platform.appengineJson('deploy', directory, '--app', 'guestbook', '--version', `round-${round}`);
  });
  expect(failures(samples)).toEqual([]);
  expect((await platform.http('guestbook', '/')).text).toContain(`round-${DEPLOYS}`);
});

test('kill -9 of an instance: only writes under way on it may fail', async () => {
  const killedAtMs: number[] = [];
  const samples = await repeat('kill -9 of an instance', INSTANCE_KILLS, async () => {
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
    killedAtMs.push(performance.now());
  });
  const inexcusable = failures(samples).filter(
    ({ kind, startedMs, endedMs }) =>
      kind === 'read' || !killedAtMs.some((atMs) => startedMs <= atMs + DEATH_MS_MAX && atMs <= endedMs + DEATH_MS_MAX),
  );
  expect(inexcusable).toEqual([]);
});

test('kill -9 of the control role: no request notices', async () => {
  const { samples } = await disturb('kill -9 of control', () => {
    kill(platform.rolePid('control'), 'control');
  });
  expect(failures(samples)).toEqual([]);
});

test.each(['router', 'datastore'])('kill -9 of the %s role: requests succeed again within 3 s', async (role) => {
  const { slowestRecoveryMs } = await disturb(`kill -9 of ${role}`, () => {
    kill(platform.rolePid(role), role);
  });
  expect(slowestRecoveryMs).toBeLessThan(RECOVERY_MS_MAX);
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
