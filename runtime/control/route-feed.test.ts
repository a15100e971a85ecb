import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RouteTableSpec } from '../../router/ports.ts';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { RouteFeed } from './route-feed.ts';
import { RpcRouteFeed } from './rpc-route-feed.ts';
import { type DeployedVersion } from '../scheduler/scheduler.ts';
import { requestMsMaxOf } from '../scheduler/version-bounds.ts';
import { SampleControl } from './sample-deploy.ts';

const APP = {
  'app.yaml': `
runtime: nodejs
default_expiration: 1h
handlers:
- {url: /static, static_dir: public, expiration: 5m}
- {url: '/(.*\\.ico)', static_files: 'icons/\\1', upload: 'icons/.*\\.ico', mime_type: image/x-icon}
- {url: /.*, script: auto, secure: always}
automatic_scaling: {max_instances: 3}
`,
  'server.js': 'listen()',
  'public/a.css': 'a',
  'icons/f.ico': 'i',
  'icons/readme.txt': 'r',
};

it.each([
  ['automatic', 600],
  ['basic', 86_400],
  ['manual', 86_400],
] as const)('%s scaling gives a request %s s', (scaling, seconds) => {
  expect(requestMsMaxOf(scaling)).toBe(seconds * 1_000);
});

describe('the route feed', () => {
  let directory: string;
  let socketPath: string;
  let sample: SampleControl;
  let feed: RouteFeed;
  let server: RpcServer;
  let client: RpcClient;
  let unwatch: () => void;
  let router: RpcRouteFeed;
  const tables: RouteTableSpec[] = [];
  const serving: string[][] = [];
  const gone: string[] = [];
  const deployed: ReadonlyMap<string, DeployedVersion>[] = [];

  const serve = async (): Promise<void> => {
    feed = new RouteFeed(sample.registry, sample.blobs, sample.encodings, sample.bundles, new MemoryLog());
    unwatch = sample.compressor.watch((deploymentId) => feed.refresh(deploymentId));
    server = new RpcServer(socketPath, systemTimers, [feed.service()]);
    await server.start();
  };
  const latest = (): RouteTableSpec | undefined => tables.at(-1);
  const versionNames = (): string[] =>
    latest()?.apps.flatMap(({ services }) => services.flatMap(({ versions }) => versions.map(({ version }) => version))) ?? [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'routes-'));
    socketPath = join(directory, 'control.sock');
    for (const list of [tables, serving, gone, deployed]) list.length = 0;
    sample = new SampleControl(directory);
    await sample.start();
    await serve();
    client = new RpcClient(socketPath, systemClock, systemTimers);
    router = new RpcRouteFeed(client, systemTimers, new MemoryLog(), {
      onDeployed: (versions) => deployed.push(versions),
      onServing: (ids) => serving.push([...ids]),
      onGone: (id) => gone.push(id),
    });
    router.watch((table) => tables.push(table));
    router.start();
  });

  afterEach(async () => {
    router.close();
    client.close();
    feed.close();
    unwatch();
    await server.close();
    await sample.retirement.settled();
    await rm(directory, { recursive: true, force: true });
  });

  it('begins with an empty table and follows each deploy', async () => {
    await expect.poll(() => latest()?.apps).toEqual([]);
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await expect.poll(versionNames).toEqual(['v1']);
    const service = latest()?.apps[0]?.services[0];
    expect(service).toMatchObject({ service: 'default', split: { v1: 1 }, shardBy: 'ip' });
    expect(service?.versions[0]?.requestDeadlineMs).toBe(requestMsMaxOf('automatic'));
    expect(Object.keys(service?.versions[0]?.files ?? {}).sort()).toEqual(['icons/f.ico', 'public/a.css']);
    expect(service?.versions[0]?.handlers).toEqual([
      {
        kind: 'static-dir',
        url: '/static',
        directory: 'public',
        expirationSeconds: 300,
        requireMatchingFile: false,
        secure: 'optional',
        redirectStatus: 302,
        login: 'optional',
        authFailAction: 'redirect',
      },
      {
        kind: 'static-files',
        url: '/(.*\\.ico)',
        path: 'icons/\\1',
        expirationSeconds: 3_600,
        mimeType: 'image/x-icon',
        requireMatchingFile: false,
        secure: 'optional',
        redirectStatus: 302,
        login: 'optional',
        authFailAction: 'redirect',
      },
      { kind: 'script', url: '/.*', secure: 'always', redirectStatus: 302, login: 'optional', authFailAction: 'redirect' },
    ]);
  });

  it('gives the plan of a version that is still being deployed, and no route to it', async () => {
    let planned: unknown;
    sample.onWarm = async (deploymentId) => {
      await expect.poll(() => router.planOf(deploymentId)).toBeDefined();
      planned = router.planOf(deploymentId);
      expect(versionNames()).toEqual([]);
    };
    await sample.deploy('guestbook', APP, { version: 'v1' });
    expect(planned).toMatchObject({
      spec: { appId: 'guestbook', version: 'v1', command: ['node', 'server.js'] },
      scaling: { maxInstances: 3 },
      warmup: false,
    });
  });

  it('tells who serves and who is gone', async () => {
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await sample.deploy('guestbook', APP, { version: 'v2' });
    await expect.poll(versionNames).toEqual(['v1', 'v2']);
    const [v1, v2] = latest()?.apps[0]?.services[0]?.versions ?? [];
    expect(serving.at(-1)).toEqual([v2?.deploymentId]);
    await sample.control.deleteVersion('guestbook', 'default', 'v1');
    await expect.poll(() => gone).toContain(v1?.deploymentId);
    expect(router.planOf(v1?.deploymentId ?? '')).toBeUndefined();
    expect(versionNames()).toEqual(['v2']);
  });

  it('tells of compressed files once they are, and of dispatch rules, buckets and error pages', async () => {
    const css = 'body { color: red }\n'.repeat(200);
    const yaml = `${APP['app.yaml']}error_handlers:\n- file: sorry.html\n`;
    const dispatch = 'dispatch:\n- {url: "*/a", service: default}\n';
    const app = {
      ...APP,
      'app.yaml': yaml,
      'public/a.css': css,
      'public/b.css': css,
      'sorry.html': '<h1>sorry',
      'dispatch.yaml': dispatch,
    };
    const events = await sample.deploy('guestbook', app, { version: 'v1' });
    const line = events.find((event) => event.kind === 'step' && event.step === 'compress' && event.state === 'done');
    expect(line).toMatchObject({ message: expect.stringMatching(/^1 of 1 static files; 4 kB less to load/) as string });
    const version = () => latest()?.apps[0]?.services[0]?.versions[0];
    await expect.poll(() => version()?.files['public/a.css']?.encodings?.br?.bytes).toBeLessThan(200);
    const settled = version();
    await sample.encodings.put(settled?.files['public/a.css']?.sha256 ?? '', {});
    feed.refresh(settled?.deploymentId ?? '');
    await expect.poll(() => version()?.files['public/a.css']).not.toHaveProperty('encodings');
    const { files, errorPages = [], deployedAtMs } = version() ?? {};
    expect(files?.['public/b.css']).toEqual(files?.['public/a.css']);
    expect(files?.['icons/f.ico']).not.toHaveProperty('encodings');
    expect(errorPages.map(({ cause, mimeType, content }) => [cause, mimeType, Buffer.from(content).toString()])).toEqual([
      ['default', 'text/html; charset=utf-8', '<h1>sorry'],
    ]);
    expect(deployedAtMs).toBeGreaterThan(1_700_000_000_000);
    expect(latest()?.apps[0]).toMatchObject({
      dispatch: [{ url: '*/a', host: '*', path: '/a', service: 'default' }],
      services: [{ buckets: [['v1', 1_000]] }],
    });
  });

  it('tells what was changed about a version, and forgets it with the version', async () => {
    const files = { ...APP, 'app.yaml': 'runtime: nodejs\nmanual_scaling: {instances: 2}\n' };
    await sample.deploy('guestbook', files, { version: 'v1' });
    await expect.poll(() => [...(deployed.at(-1)?.values() ?? [])]).toEqual([{ isStopped: false }]);
    await sample.control.changeVersion('guestbook', 'default', 'v1', { instances: 5 });
    await expect.poll(() => [...(deployed.at(-1)?.values() ?? [])]).toEqual([{ isStopped: false, instances: 5 }]);
    const view = await sample.control.changeVersion('guestbook', 'default', 'v1', { isStopped: true });
    expect(view.running).toEqual({ scaling: 'manual', isStopped: true, instancesWanted: 5 });
    await expect.poll(() => [...(deployed.at(-1)?.values() ?? [])]).toEqual([{ isStopped: true, instances: 5 }]);
    await sample.control.deleteVersion('guestbook', 'default', 'v1');
    await expect.poll(() => deployed.at(-1)?.size).toBe(0);
  });

  it('keeps the last table while the control role is away, and catches up when it is back', async () => {
    await sample.deploy('guestbook', APP, { version: 'v1' });
    await expect.poll(versionNames).toEqual(['v1']);
    feed.close();
    await server.close();
    const [version] = latest()?.apps[0]?.services[0]?.versions ?? [];
    expect(router.planOf(version?.deploymentId ?? '')).toBeDefined();
    await sample.deploy('guestbook', APP, { version: 'v2' });
    expect(versionNames()).toEqual(['v1']);
    await serve();
    await expect.poll(versionNames, { timeout: 5_000 }).toEqual(['v1', 'v2']);
    const revisions = tables.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(gone).toEqual([]);
  });
});
