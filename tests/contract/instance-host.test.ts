// The instance host with real processes, under every sandbox. What only a real sandbox gives is in tests/hostile.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type BuildSpec } from '../../runtime/host/build.ts';
import { type InstanceView } from '../../runtime/host/instance.ts';
import { HostFixture, MiB } from './host-fixture.ts';
import { bubblewrapSkip } from './sandbox-skip.ts';

const skip = await bubblewrapSkip();
const kinds: [string, 'bubblewrap' | 'process', boolean][] = [
  [`bubblewrap${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, 'bubblewrap', skip === undefined],
  ['process', 'process', true],
];

describe.each(kinds)('instance host: %s', (_name, kind, available) => {
  let fixture: HostFixture;
  beforeAll(async () => {
    if (available) fixture = await HostFixture.open(kind);
  });
  afterAll(async () => {
    if (available) await fixture.close();
  });
  const it = test.runIf(available);

  it('brings an app up, answers on its socket, and stops it in order', async () => {
    const app = await fixture.start(`
      process.on('SIGTERM', () => { console.log('ending'); process.exit(0) });
      serve(() => JSON.stringify(process.env));`);
    const view = await app.reached('ready');
    const { spawnMs, runtimeMs, loadMs, readyMs } = view.phases;
    expect(readyMs).toBeGreaterThan(spawnMs ?? Infinity);
    expect([runtimeMs, loadMs, readyMs]).toEqual([runtimeMs, loadMs, readyMs].sort((a = NaN, b = NaN) => a - b));
    expect(runtimeMs).toBeGreaterThan(0);
    expect(loadMs).toBeGreaterThanOrEqual(runtimeMs ?? Infinity);
    expect(JSON.parse(await app.get())).toMatchObject({
      GAE_APPLICATION: 's~hello',
      GAE_DEPLOYMENT_ID: '7',
      GAE_ENV: 'standard',
      GAE_INSTANCE: app.id,
      GAE_MEMORY_MB: '256',
      GAE_SERVICE: 'default',
      GAE_VERSION: 'v1',
      GOOGLE_CLOUD_PROJECT: 'hello',
      NODE_ENV: 'production',
      PORT: '8080',
    });
    await fixture.host.stop(app.id, { graceMs: 5_000 });
    expect(app.view().state).toBe('stopping');
    expect(await app.exited()).toMatchObject({
      code: 0,
      signal: null,
      errorCode: 'INSTANCE_EXITED',
      reason: 'was stopped by the platform',
    });
    expect(app.log()).toEqual(['stdout ending']);
    expect(existsSync(view.socketDirectory)).toBe(false);
    expect((await fixture.host.list()).map(({ id }) => id)).not.toContain(app.id);
    await fixture.host.stop(app.id, { graceMs: 0 });
  });

  it('kills an app that does not end within its grace time', async () => {
    const app = await fixture.start(`process.on('SIGTERM', () => console.log('no')); serve(() => '');`);
    await app.reached('ready');
    await fixture.host.stop(app.id, { graceMs: 100 });
    expect(await app.exited()).toMatchObject({ signal: 'SIGKILL', reason: 'was killed: it did not end in time after SIGTERM' });
    expect(app.log()).toContain('stdout no');
  });

  it('stops an instance that is not ready yet', async () => {
    const app = await fixture.start(`setInterval(() => {}, 1000)`);
    await fixture.host.stop(app.id, { graceMs: 1_000 });
    expect((await app.exited()).reason).toBe('was stopped by the platform');
  });

  it('tells why an app failed to start, with the end of its stderr', async () => {
    const app = await fixture.start(`console.error('x'.repeat(20000)); throw new Error('no database')`);
    const exit = await app.exited();
    expect(exit).toMatchObject({ code: 1, errorCode: 'INSTANCE_EXITED', reason: 'exited with code 1' });
    expect(exit.stderrTail).toContain('Error: no database');
    expect(exit.stderrTail.length).toBeLessThanOrEqual(8_192);
    expect(app.log()).toContain('system The instance exited with code 1');
  });

  it('tells of an app that dies later, and of the signal', async () => {
    const app = await fixture.start(`serve(() => process.kill(process.pid, 'SIGABRT'))`);
    await app.reached('ready');
    await expect(app.get()).rejects.toThrow();
    expect(await app.exited()).toMatchObject({ code: null, signal: 'SIGABRT', reason: 'was killed by SIGABRT' });
  });

  it('ends an app that never listens', async () => {
    const app = await fixture.start(`require('http').createServer().listen(0, '127.0.0.1')`, { readyMsMax: 300 });
    expect(await app.exited()).toMatchObject({ errorCode: 'INSTANCE_NEVER_LISTENED', reason: 'did not listen on $PORT within 0.3 s' });
  });

  it('finds the app again when it listens anew', async () => {
    const app = await fixture.start(`
      let server = serve(() => { setImmediate(() => { server.close(); server.closeAllConnections(); server = serve(() => 'second') }); return 'first' });`);
    await app.reached('ready');
    expect(await app.get()).toBe('first');
    await vi.waitFor(async () => expect(await app.get()).toBe('second'), { timeout: 5_000 });
  });

  it('keeps log lines within their limits and says how many it dropped', async () => {
    const app = await fixture.start(`
      serve(() => '');
      console.log('y'.repeat(100000));
      process.stdout.write('no end of line yet, ');
      process.stdout.write('ü\\r\\n' + 'line\\n'.repeat(5000) + 'last', () => setTimeout(() => process.exit(0), 50));`);
    await app.exited();
    const log = app.log();
    expect(log[0]).toBe(`stdout ${'y'.repeat(16_384)}`);
    expect(log[1]).toBe('stdout no end of line yet, ü');
    const kept = log.filter((line) => line === 'stdout line').length;
    expect(kept).toBeGreaterThan(1_000);
    expect(kept).toBeLessThan(4_000);
    const dropped = log.map((line) => /^system (\d+) log lines were dropped/.exec(line)?.[1]).filter((count) => count !== undefined);
    expect(dropped.reduce((sum, count) => sum + Number(count), 0) + log.filter((line) => line === 'stdout last').length + kept).toBe(5_001);
  });

  it('meters CPU and memory from outside', async () => {
    const app = await fixture.start(`serve(() => { while (process.cpuUsage().user < 300000); return 'done' })`);
    await app.reached('ready');
    await app.get();
    const usage = async (): Promise<InstanceView | undefined> => (await fixture.host.list()).find(({ id }) => id === app.id);
    if (fixture.resources.kind === 'unlimited') return;
    await vi.waitFor(async () => expect((await usage())?.cpuMicros).toBeGreaterThan(250_000), { timeout: 5_000 });
    expect((await usage())?.memoryBytes).toBeGreaterThan(5 * MiB);
    await fixture.host.stop(app.id, { graceMs: 0 });
  });

  it('refuses more instances than it may run, and none are lost to failed starts', async () => {
    const small = await HostFixture.open(kind, { instancesMax: 1 });
    try {
      const app = await small.start(`serve(() => '')`);
      await expect(small.start(`serve(() => '')`)).rejects.toMatchObject({ code: 'INSTANCE_LIMIT' });
      await small.host.stop(app.id, { graceMs: 0 });
      await app.exited();
      await (await small.start(`serve(() => '')`)).reached('ready');
    } finally {
      await small.close();
    }
  });

  it('starts many at once, each with sockets of its own', async () => {
    const apps = await Promise.all(Array.from({ length: 6 }, () => fixture.start(`serve(() => process.env.GAE_INSTANCE)`)));
    await Promise.all(apps.map((app) => app.reached('ready')));
    expect(await Promise.all(apps.map((app) => app.get()))).toEqual(apps.map((app) => app.id));
    expect(new Set(apps.map((app) => app.id)).size).toBe(6);
    for (const app of apps) expect(app.id).toMatch(/^[0-9a-f]{12}$/);
    await Promise.all(apps.map((app) => fixture.host.stop(app.id, { graceMs: 1_000 })));
    await Promise.all(apps.map((app) => app.exited()));
  });

  describe('builds', () => {
    const build = async (command: readonly string[], change: Partial<BuildSpec> = {}, signal?: AbortSignal) => {
      const directory = await fixture.code({ 'package.json': '{"scripts":{"gcp-build":"echo from npm > made.txt"}}' });
      const output: string[] = [];
      const spec: BuildSpec = {
        appId: 'hello',
        directory,
        command,
        environment: { STAGE: 'one' },
        memoryBytesMax: 512 * MiB,
        timeoutMs: 20_000,
        ...change,
      };
      const result = await fixture.host.build(spec, { onOutput: (line) => output.push(line), ...(signal ? { signal } : {}) });
      return { result, output, directory };
    };

    it('run a command that writes the directory, and pass its output on', async () => {
      const { result, output, directory } = await build(['sh', '-c', 'echo $STAGE; echo two >&2; echo made > made.txt']);
      expect(result).toMatchObject({ code: 0, signal: null, reason: '' });
      expect(output.sort()).toEqual(['one', 'two']);
      expect(await readFile(join(directory, 'made.txt'), 'utf8')).toBe('made\n');
    });

    it('run npm', async () => {
      const { result, output, directory } = await build(['npm', 'run', 'gcp-build']);
      expect(result, output.join('\n')).toMatchObject({ code: 0 });
      expect(await readFile(join(directory, 'made.txt'), 'utf8')).toBe('from npm\n');
    });

    it('say why they failed', async () => {
      expect((await build(['sh', '-c', 'exit 3'])).result).toMatchObject({ code: 3, reason: 'sh exited with code 3' });
      expect((await build(['sleep', '60'], { timeoutMs: 200 })).result).toMatchObject({
        signal: 'SIGKILL',
        reason: 'it took longer than 0.2 s',
      });
    });

    it('end when the caller aborts', async () => {
      const abort = new AbortController();
      setTimeout(() => {
        abort.abort(new Error('enough'));
      }, 50);
      await expect(build(['sleep', '60'], {}, abort.signal)).rejects.toThrow('enough');
      await expect(build(['sleep', '60'], {}, abort.signal)).rejects.toThrow('enough');
    });
  });
});
