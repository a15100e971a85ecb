// The life of image workers: started on demand, one app at a time, ended when they hang, crash or have nothing to do.
import sharp from 'sharp';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type SandboxImageWorker } from '../../runtime/backends/image-worker-sandbox.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { ImageFixture } from './image-fixture.ts';
import { bubblewrapSkip } from './sandbox-skip.ts';

const kind = (await bubblewrapSkip()) === undefined ? 'bubblewrap' : 'process';
let small: Buffer;
/** Keeps a worker busy for a second or so. */
let large: Buffer;
let fixture: ImageFixture;

beforeAll(async () => {
  small = await sharp({ create: { width: 40, height: 20, channels: 3, background: '#f00' } })
    .png()
    .toBuffer();
  large = await sharp({ create: { width: 6_000, height: 6_000, channels: 3, background: '#f00' } })
    .png()
    .toBuffer();
});
afterEach(() => fixture.close());

const look = (worker: SandboxImageWorker, appId = 'a') => worker.metadata(appId, small, false, { signal: new AbortController().signal });
const toil = (worker: SandboxImageWorker, appId = 'a') =>
  worker.transform(
    appId,
    large,
    {
      transforms: [
        { kind: 'rotate', degrees: 90 },
        { kind: 'autolevels' },
        { kind: 'rotate', degrees: 90 },
        { kind: 'resize', width: 100 },
      ],
      output: { format: 'png' },
      correctOrientation: false,
    },
    { signal: new AbortController().signal },
  );
const failed = expect.objectContaining({ code: 'IMAGE_WORKER_FAILED' });

test('no worker runs before the first call, nor after a while without one', async () => {
  fixture = await ImageFixture.open(kind, { idleMs: 50 });
  expect(await fixture.instances()).toEqual([]);
  await look(fixture.worker);
  await expect.poll(() => fixture.instances(), { timeout: 10_000 }).toEqual([]);
  expect(await look(fixture.worker)).toMatchObject({ width: 40 });
});

test('calls of one app share a worker; another app gets another, in its place where there is no room', async () => {
  fixture = await ImageFixture.open(kind, { workersMax: 1 });
  await look(fixture.worker, 'a');
  const [first] = await fixture.instances();
  await look(fixture.worker, 'a');
  expect(await fixture.instances()).toEqual([first]);
  await look(fixture.worker, 'b');
  await expect.poll(async () => (await fixture.instances()).length).toBe(1);
  expect(await fixture.instances()).not.toContain(first);
});

test('several apps at once are all served, by no more workers than there may be', async () => {
  fixture = await ImageFixture.open(kind, { workersMax: 2 });
  const apps = ['a', 'b', 'c', 'd', 'a', 'b'];
  const found = await Promise.all(apps.map((app) => look(fixture.worker, app)));
  expect(found.map(({ width }) => width)).toEqual(apps.map(() => 40));
  await expect.poll(async () => (await fixture.instances()).length).toBeLessThanOrEqual(2);
});

test('a call that meets a crash is told so, and the next one works', async () => {
  fixture = await ImageFixture.open(kind);
  await look(fixture.worker);
  const [view] = await fixture.host.host.list();
  const toiling = toil(fixture.worker);
  process.kill(view?.pid ?? 0, 'SIGKILL');
  await expect(toiling).rejects.toThrow(failed);
  expect(await look(fixture.worker)).toMatchObject({ width: 40 });
});

test('a call that takes too long ends with its worker, and the next one works', async () => {
  fixture = await ImageFixture.open(kind, { workMs: 100 });
  await expect(toil(fixture.worker)).rejects.toThrow(expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }));
  await expect.poll(() => fixture.instances(), { timeout: 10_000 }).toEqual([]);
  const patient = fixture.another();
  expect(await look(patient)).toMatchObject({ width: 40 });
});

test('a worker that cannot start fails the call, not the next', async () => {
  fixture = await ImageFixture.open(kind);
  const broken = fixture.another({ codeDirectory: fixture.host.directory });
  await expect(look(broken)).rejects.toThrow(failed);
  await expect(look(broken)).rejects.toThrow(failed);
  expect(await look(fixture.another())).toMatchObject({ width: 40 });
});

test('workers of a process that has ended are stopped by the next', async () => {
  fixture = await ImageFixture.open(kind);
  await look(fixture.worker);
  const [left] = await fixture.instances();
  const next = fixture.another();
  await expect.poll(() => fixture.instances(), { timeout: 10_000 }).not.toContain(left);
  expect(await look(next)).toMatchObject({ width: 40 });
});

test('one app may not fill the queue, and who goes away leaves it', async () => {
  fixture = await ImageFixture.open(kind, { workersMax: 1 });
  const busy = toil(fixture.worker);
  const abort = new AbortController();
  const waiting = Array.from({ length: LIMITS.imageCallsPerAppMax - 1 }, () =>
    fixture.worker.metadata('a', small, false, { signal: abort.signal }),
  );
  await expect(look(fixture.worker)).rejects.toThrow(expect.objectContaining({ code: 'RPC_OVERLOADED' }));
  const other = look(fixture.worker, 'b');
  abort.abort(new Error('gone'));
  expect((await Promise.allSettled(waiting)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(await other).toMatchObject({ width: 40 });
  expect(await busy).toMatchObject({ width: 100 });
});

test('more calls than may wait are refused', async () => {
  fixture = await ImageFixture.open(kind, { workersMax: 1 });
  const busy = toil(fixture.worker, 'busy');
  const waiting = Array.from({ length: LIMITS.imageCallsWaitingMax }, (_each, index) => look(fixture.worker, `app-${index % 4}`));
  await expect(look(fixture.worker, 'late')).rejects.toThrow(expect.objectContaining({ code: 'RPC_OVERLOADED' }));
  await fixture.worker.close();
  const outcomes = await Promise.allSettled([busy, ...waiting]);
  expect(
    outcomes.every((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'IMAGE_WORKER_FAILED'),
  ).toBe(true);
});
