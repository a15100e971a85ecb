import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeployEvent } from '../../sdk/contract/admin/admin.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type ControlChange } from './control-store.ts';
import { MemoryControlStore } from './memory-control-store.ts';
import { allVersions, shareOf, versionIn } from './registry-state.ts';
import { SampleControl, sampleFiles } from './sample-deploy.ts';

const APP = { 'app.yaml': 'runtime: nodejs\n', 'server.js': 'listen()', 'bin/run.sh': '#!/bin/sh' };
const last = (events: readonly DeployEvent[]): DeployEvent | undefined => events.at(-1);
const failureOf = (events: readonly DeployEvent[]): unknown => {
  const event = last(events);
  return event?.kind === 'failed' ? [event.step, event.error.code] : event;
};

describe('Deployer', () => {
  let directory: string;
  let sample: SampleControl;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'deploy-'));
    sample = new SampleControl(directory);
    await sample.start();
  });

  afterEach(async () => {
    await sample.retirement.settled();
    await rm(directory, { recursive: true, force: true });
  });

  it('goes through its steps in order and ends with the URLs', async () => {
    const events = await sample.deploy('guestbook', APP, { version: 'v1' });
    expect(events.filter((event) => event.kind === 'step').map(({ step, state }) => `${step} ${state}`)).toEqual([
      ...['validate running', 'validate done', 'build running', 'build skipped', 'index running', 'index skipped'],
      ...['stage running', 'stage done', 'start running', 'start done', 'traffic running', 'traffic done'],
    ]);
    expect(last(events)).toEqual({
      kind: 'done',
      appId: 'guestbook',
      service: 'default',
      version: 'v1',
      url: 'http://guestbook.localhost:8080/',
      versionUrl: 'http://v1-dot-default-dot-guestbook.localhost:8080/',
      promoted: true,
    });
  });

  it('records how to start the version, and stages its files', async () => {
    const yaml = 'runtime: nodejs\ninstance_class: F2\nenv_variables: {GREETING: hi}\ninbound_services: [warmup]\n';
    await sample.deploy('guestbook', { ...APP, 'app.yaml': yaml }, { version: 'v1' });
    const record = versionIn(sample.registry.state, 'guestbook', 'default', 'v1');
    expect(record.state).toBe('serving');
    expect(record.launch).toMatchObject({
      command: ['node', 'server.js'],
      environment: { NODE_ENV: 'production', GREETING: 'hi', GAE_RUNTIME: 'nodejs' },
      memoryBytesMax: 768 * 2 ** 20,
      cpuWeight: 2,
      warmup: true,
    });
    const bundle = sample.bundles.pathOf(record.deploymentId);
    expect(await readFile(join(bundle, 'server.js'), 'utf8')).toBe('listen()');
    expect((await stat(join(bundle, 'bin/run.sh'))).mode & 0o777).toBe(0o755);
    expect(sample.warmed).toEqual([record.deploymentId]);
  });

  it('asks only for content that is not there', async () => {
    await sample.deploy('guestbook', APP);
    const files = sampleFiles({ ...APP, 'server.js': 'changed()' });
    const { missing } = await sample.deployer.begin('guestbook', { files, promote: true });
    expect(missing).toEqual([files.find(({ path }) => path === 'server.js')?.sha256]);
  });

  it('names versions by the time, each its own', async () => {
    await sample.deploy('guestbook', APP);
    await sample.deploy('guestbook', APP);
    const names = allVersions(sample.registry.state).map(({ version }) => version);
    expect(new Set(names).size).toBe(2);
    expect(names[0]).toMatch(/^\d{8}t\d{6}/);
  });

  it('leaves traffic where it is without promotion', async () => {
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await sample.deploy('guestbook', APP, { version: 'v2', promote: false });
    const { state } = sample.registry;
    expect(['v1', 'v2'].map((name) => shareOf(state, versionIn(state, 'guestbook', 'default', name)))).toEqual([1, 0]);
  });

  describe('when a step fails', () => {
    const nothingLeft = async (): Promise<void> => {
      await sample.retirement.settled();
      expect(await readdir(join(directory, 'bundles'))).toHaveLength(1);
      expect(await readdir(join(directory, 'deployments'))).toEqual([]);
      const { state } = sample.registry;
      expect(allVersions(state).map(({ version }) => version)).toEqual(['old']);
      expect(shareOf(state, versionIn(state, 'guestbook', 'default', 'old'))).toBe(1);
    };

    beforeEach(async () => {
      await sample.deploy('guestbook', APP, { version: 'old' });
    });

    it('removes a version whose first instance does not start, and says what it printed', async () => {
      sample.onWarm = () =>
        Promise.reject(new PlatformError('INSTANCE_EXITED', 'exited with code 1', { details: { stderrTail: 'Error: boom' } }));
      const events = await sample.deploy('guestbook', APP, { version: 'new' });
      expect(last(events)).toMatchObject({
        kind: 'failed',
        step: 'start',
        error: { code: 'INSTANCE_EXITED', details: { stderrTail: 'Error: boom' } },
      });
      await nothingLeft();
    });

    it('passes a failed build on with its newest lines', async () => {
      sample.buildHost.onBuild = (_spec, print) => {
        print('npm error 404');
        return Promise.resolve({ code: 1, signal: null, reason: 'npm exited with code 1' });
      };
      const events = await sample.deploy('guestbook', { ...APP, 'package-lock.json': '{}' }, { version: 'new' });
      expect(events).toContainEqual({ kind: 'output', step: 'build', line: 'npm error 404' });
      expect(last(events)).toMatchObject({
        kind: 'failed',
        step: 'build',
        error: { code: 'BUILD_FAILED', details: { output: 'npm error 404' } },
      });
      await nothingLeft();
    });

    it.each([
      ['a broken app.yaml', { 'app.yaml': 'runtime: [\n' }, ['validate', 'MANIFEST_INVALID']],
      ['no app.yaml', { 'server.js': '' }, ['validate', 'MANIFEST_MISSING']],
      ['an unknown runtime', { 'app.yaml': 'runtime: cobol\n' }, ['validate', 'RUNTIME_UNKNOWN']],
      ['a huge app.yaml', { 'app.yaml': `runtime: nodejs\n#${'x'.repeat(300_000)}` }, ['validate', 'MANIFEST_INVALID']],
      ['a broken queue.yaml', { ...APP, 'queue.yaml': 'queue: 3' }, ['validate', 'MANIFEST_INVALID']],
      ['a broken cron.yaml', { ...APP, 'cron.yaml': 'cron:\n- {url: /a, schedule: every day}' }, ['validate', 'MANIFEST_INVALID']],
      ['a broken index.yaml', { ...APP, 'index.yaml': 'indexes: 3' }, ['validate', 'MANIFEST_INVALID']],
      ['names too long for a host name', { 'app.yaml': `runtime: nodejs\nservice: ${'s'.repeat(50)}\n` }, ['validate', 'LABEL_INVALID']],
    ])('refuses %s', async (_, files, failure) => {
      expect(failureOf(await sample.deploy('guestbook', files, { version: 'new' }))).toEqual(failure);
      await nothingLeft();
    });

    it('refuses to replace a version', async () => {
      expect(failureOf(await sample.deploy('guestbook', APP, { version: 'old' }))).toEqual(['validate', 'VERSION_EXISTS']);
      await nothingLeft();
    });

    it('undoes everything when the developer goes away', async () => {
      const abort = new AbortController();
      sample.onWarm = () => {
        abort.abort(new PlatformError('CANCELLED'));
        return new Promise(() => undefined);
      };
      expect(failureOf(await sample.deploy('guestbook', APP, { version: 'new', signal: abort.signal }))).toEqual(['start', 'CANCELLED']);
      await nothingLeft();
    });
  });

  it('keeps a version whose last commit went through although its answer was lost', async () => {
    class LossyStore extends MemoryControlStore {
      override async commit(changes: readonly ControlChange[]): Promise<void> {
        await super.commit(changes);
        if (changes.some(({ record }) => record.kind === 'traffic')) throw new PlatformError('RPC_CONNECTION_LOST');
      }
    }
    const lossy = new SampleControl(join(directory, 'lossy'), new LossyStore());
    await lossy.start();
    expect(failureOf(await lossy.deploy('guestbook', APP, { version: 'v1' }))).toEqual(['traffic', 'RPC_CONNECTION_LOST']);
    const record = versionIn(lossy.registry.state, 'guestbook', 'default', 'v1');
    expect(record.state).toBe('serving');
    expect(await readdir(lossy.bundles.pathOf(record.deploymentId))).toContain('server.js');
  });

  it('runs what depends on more than the lock file at every deploy', async () => {
    const files = { ...APP, 'package-lock.json': '{}', 'server.ts': '' };
    await sample.deploy('guestbook', files, { version: 'v1' });
    const again = await sample.deploy('guestbook', files, { version: 'v2' });
    expect(sample.buildHost.builds.map(({ command }) => command.join(' '))).toEqual(['npm ci', 'compile', 'compile']);
    expect(again).toContainEqual({ kind: 'step', step: 'build', state: 'done', message: 'Compiling' });
  });

  it('installs packages once for each lock file', async () => {
    sample.buildHost.onBuild = async ({ directory: bundle }) => {
      await mkdir(join(bundle, 'node_modules', '.bin'), { recursive: true });
      await writeFile(join(bundle, 'node_modules', 'left-pad.js'), 'pad');
      await symlink('../left-pad.js', join(bundle, 'node_modules', '.bin', 'pad'));
      return { code: 0, signal: null, reason: '' };
    };
    const files = { ...APP, 'package-lock.json': '{}' };
    await sample.deploy('guestbook', files, { version: 'v1' });
    const again = await sample.deploy('guestbook', { ...files, 'server.js': 'other()' }, { version: 'v2' });
    expect(sample.buildHost.builds).toHaveLength(1);
    expect(sample.buildHost.builds[0]).toMatchObject({ appId: 'guestbook', command: ['npm', 'ci'], environment: { CI: '1' } });
    expect(again).toContainEqual({ kind: 'step', step: 'build', state: 'skipped', message: 'Unchanged since the last build' });
    const bundle = sample.bundles.pathOf(versionIn(sample.registry.state, 'guestbook', 'default', 'v2').deploymentId);
    expect(await readFile(join(bundle, 'node_modules', '.bin', 'pad'), 'utf8')).toBe('pad');
    await sample.deploy('guestbook', { ...files, 'package-lock.json': '{"changed":1}' }, { version: 'v3' });
    expect(sample.buildHost.builds).toHaveLength(2);
  });

  it('keeps nothing of a build that put a link in the place of its output', async () => {
    sample.buildHost.onBuild = async ({ directory: bundle }) => {
      await symlink('/etc', join(bundle, 'node_modules'));
      return { code: 0, signal: null, reason: '' };
    };
    await sample.deploy('guestbook', { ...APP, 'package-lock.json': '{}' }, { version: 'v1' });
    const cache = join(directory, 'cache', 'builds');
    const entries = await readdir(cache);
    expect(entries).toHaveLength(1);
    expect(await readdir(join(cache, entries[0] ?? ''))).toEqual([]);
  });

  it('makes indexes, waits until they serve, and tells how far they are', async () => {
    sample.indexBuilder.polls = 3;
    const yaml = 'indexes:\n- kind: Greeting\n  ancestor: yes\n  properties: [{name: date, direction: desc}]\n';
    const events = await sample.deploy('guestbook', { ...APP, 'index.yaml': yaml });
    expect(sample.indexBuilder.ensured).toEqual([
      [{ kind: 'Greeting', ancestor: true, properties: [{ name: 'date', direction: 'desc' }] }],
    ]);
    expect(events).toContainEqual({ kind: 'step', step: 'index', state: 'running', message: 'Building indexes: 0 of 1 serve' });
    expect(last(events)?.kind).toBe('done');
  });

  it('takes over queue.yaml and cron.yaml when it succeeds, and leaves them when it brings none', async () => {
    const queue = 'total_storage_limit: 1G\nqueue:\n- {name: mail, rate: 20/s}\n';
    const cron = 'cron:\n- {url: /tick, schedule: every 5 minutes}\n';
    const events = await sample.deploy('guestbook', { ...APP, 'queue.yaml': queue, 'cron.yaml': cron }, { version: 'v1' });
    expect(events).toContainEqual({
      kind: 'output',
      step: 'validate',
      line: expect.stringMatching(/^queue.yaml: "total_storage_limit" has no/),
    });
    const settings = () => sample.registry.state.get('guestbook');
    expect(settings()?.queues?.queues.map(({ name }) => name)).toEqual(['mail']);
    expect(settings()?.cron?.jobs.map(({ url }) => url)).toEqual(['/tick']);
    await sample.deploy('guestbook', APP, { version: 'v2' });
    expect(settings()?.queues?.queues).toHaveLength(1);
    expect(settings()?.cron?.jobs).toHaveLength(1);
    await sample.deploy('guestbook', { ...APP, 'queue.yaml': '', 'cron.yaml': 'cron: []' }, { version: 'v3' });
    expect(settings()?.queues?.queues).toEqual([]);
    expect(settings()?.cron?.jobs).toEqual([]);
  });

  it('fails when an index cannot be built', async () => {
    sample.indexBuilder.outcome = 'error';
    const yaml = 'indexes:\n- kind: Greeting\n  properties: [{name: a}, {name: b}]\n';
    expect(failureOf(await sample.deploy('guestbook', { ...APP, 'index.yaml': yaml }))).toEqual(['index', 'INDEX_FAILED']);
  });

  it('lets one of two deploys of a service run, and two services at once', async () => {
    let release = (): void => undefined;
    sample.onWarm = () => new Promise((resolve) => (release = resolve));
    const first = sample.deploy('guestbook', APP, { version: 'v1' });
    await expect.poll(() => sample.warmed.length).toBe(1);
    await expect(sample.deploy('guestbook', APP, { version: 'v2' })).rejects.toMatchObject({ code: 'DEPLOY_CONFLICT' });
    const releaseFirst = release;
    const other = sample.deploy('guestbook', { ...APP, 'app.yaml': 'runtime: nodejs\nservice: api\n' }, { version: 'v1' });
    await expect.poll(() => sample.warmed.length).toBe(2);
    release();
    releaseFirst();
    expect((await Promise.all([first, other])).map((events) => last(events)?.kind)).toEqual(['done', 'done']);
  });

  it('goes on after a restart with a deploy that was begun', async () => {
    const files = sampleFiles(APP);
    const { deploymentId } = await sample.deployer.begin('guestbook', { files, promote: true });
    const again = new SampleControl(directory);
    await again.start();
    await expect(
      again.deployer.finish('guestbook', deploymentId, { onEvent: () => undefined, signal: AbortSignal.timeout(1_000) }),
    ).rejects.toMatchObject({
      code: 'UPLOAD_INCOMPLETE',
    });
    await expect(again.deployer.putBlob('other', deploymentId, files[0]?.sha256 ?? '', (async function* () {})())).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('sweeps at start what a dead deploy left', async () => {
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await mkdir(join(directory, 'bundles', 'dead'));
    await writeFile(join(directory, 'bundles', 'dead', 'x'), '');
    await sample.deployer.start();
    await sample.retirement.settled();
    expect(await readdir(join(directory, 'bundles'))).toEqual([
      versionIn(sample.registry.state, 'guestbook', 'default', 'v1').deploymentId,
    ]);
  });

  it('refuses bad names and lists before it keeps anything', async () => {
    await expect(sample.deployer.begin('../x', { files: [], promote: true })).rejects.toMatchObject({ code: 'APP_ID_INVALID' });
    await expect(sample.deployer.begin('a', { files: [], promote: true, version: 'A' })).rejects.toMatchObject({ code: 'LABEL_INVALID' });
    const [file] = sampleFiles({ a: '' });
    await expect(sample.deployer.begin('a', { files: file ? [{ ...file, path: '../a' }] : [], promote: true })).rejects.toMatchObject({
      code: 'UPLOAD_REFUSED',
    });
    expect(await readdir(join(directory, 'deployments'))).toEqual([]);
  });

  it('deletes a version with its code once its instances are gone', async () => {
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await sample.deploy('guestbook', APP, { version: 'v2' });
    await expect(sample.control.deleteVersion('guestbook', 'default', 'v2')).rejects.toMatchObject({ code: 'VERSION_HAS_TRAFFIC' });
    await sample.control.deleteVersion('guestbook', 'default', 'v1');
    await sample.retirement.settled();
    expect(await readdir(join(directory, 'bundles'))).toHaveLength(1);
    expect((await sample.control.versions('guestbook')).map(({ version, trafficShare }) => [version, trafficShare])).toEqual([['v2', 1]]);
  });
});
