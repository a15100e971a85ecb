// `appengine datastore check` after kill -9 of the datastore role, again and again, under the load of a deployed guestbook: what
// the show asks for. What was acknowledged stays is tested by resilience.test.ts; here it is that everything fits together.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GuestbookLoad } from './load.ts';
import { PlatformProcess, root, waitFor } from './platform-process.ts';

const KILLS = 6;

interface Totals {
  readonly rows: number;
  readonly findings: number;
  readonly families: Readonly<Record<string, number>>;
}

let platform: PlatformProcess;
let load: GuestbookLoad;

beforeAll(async () => {
  platform = await PlatformProcess.start();
  await platform.appengineJson('deploy', join(root, 'sample-apps', 'guestbook'), '--app', 'guestbook');
  load = new GuestbookLoad(platform, { app: 'guestbook', perSecond: 60, writeEvery: 2 });
  load.start();
});

afterAll(async () => {
  await load.stop();
  await platform.remove();
});

test('the check reports no difference after the datastore was killed under load', async () => {
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = load.acknowledged.length;
    // Between kills it takes writes again: each kill meets a store that is written to.
    await waitFor('greetings that are acknowledged', () => load.acknowledged.length > acknowledged + 5);
    const pid = platform.rolePid('datastore');
    if (pid === undefined) throw new Error('no datastore role to kill');
    process.kill(pid, 'SIGKILL');
    await waitFor('another datastore role', () => {
      const next = platform.rolePid('datastore');
      return next !== undefined && next !== pid;
    });
  }
  const acknowledged = load.acknowledged.length;
  await waitFor('greetings after the last kill', () => load.acknowledged.length > acknowledged + 5);
  await load.stop();
  const ofApp = await platform.appengine('datastore', 'check', '--app', 'guestbook');
  expect(ofApp.stdout + ofApp.stderr).toContain('No difference');
  expect(ofApp.code).toBe(0);
  const totals = await platform.appengineJson<Totals>('datastore', 'check');
  expect(totals.findings).toBe(0);
  // An entity for each greeting, at least: what is checked is what was written.
  expect(totals.families.E).toBeGreaterThanOrEqual(load.acknowledged.length);
  console.log(`${KILLS} kills, ${load.acknowledged.length} greetings acknowledged, ${totals.rows} rows checked, no difference`);
});
