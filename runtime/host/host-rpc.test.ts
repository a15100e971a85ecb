import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InProcessRpc, RpcClient } from '../../sdk/contract/wire/client.ts';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type BuildHost, type BuildResult, type BuildSpec } from './build.ts';
import { hostService, RpcInstanceHost } from './host-rpc.ts';
import { type InstanceHost, type InstanceSpec } from './instance.ts';
import { MemoryInstanceHost } from './memory-instance-host.ts';

const spec: InstanceSpec = {
  appId: 'hello',
  service: 'default',
  version: 'v1',
  deploymentId: '1',
  codeDirectory: '/code',
  command: ['node', 'server.js'],
  environment: { GREETING: 'hi' },
  memoryBytesMax: 1,
  pidsMax: 1,
  tmpBytesMax: 1,
  cpuWeight: 1,
  readyMsMax: 1_000,
};
const buildSpec: BuildSpec = { appId: 'hello', directory: '/b', command: ['make'], environment: {}, memoryBytesMax: 1, timeoutMs: 1_000 };

type Build = BuildHost['build'];

const buildsNothing: Build = () => Promise.reject(new Error('no build was expected'));

function withBuild(host: MemoryInstanceHost, build: Build = buildsNothing): InstanceHost & BuildHost {
  return {
    start: (asked) => host.start(asked),
    stop: (id, options) => host.stop(id, options),
    capacity: () => host.capacity(),
    list: () => host.list(),
    watch: (listener) => host.watch(listener),
    build,
  };
}

const memoryHost = () => new MemoryInstanceHost(systemClock, systemTimers, { readyMs: 1 });

describe('the host over a unix socket', () => {
  let directory: string;
  let path: string;
  let closing: CloseStack;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ae-rpc-'));
    path = join(directory, 'host.sock');
    closing = new CloseStack();
    closing.defer(() => rm(directory, { recursive: true, force: true }));
  });
  afterEach(() => closing.close());

  async function serve(host: InstanceHost & BuildHost): Promise<RpcServer> {
    const server = new RpcServer(path, systemTimers, [hostService(host)]);
    await server.start();
    closing.defer(() => server.close());
    return server;
  }

  function connect(): RpcInstanceHost {
    const client = new RpcClient(path, systemClock, systemTimers);
    closing.defer(() => {
      client.close();
    });
    return new RpcInstanceHost(client, systemTimers);
  }

  it('starts, lists and stops, passing specs and views unchanged', async () => {
    const local = memoryHost();
    await serve(withBuild(local));
    const remote = connect();
    const { id } = await remote.start(spec);
    expect(local.started).toEqual([spec]);
    await vi.waitFor(async () => expect((await remote.list())[0]?.state).toBe('ready'));
    expect(await remote.list()).toEqual(await local.list());
    await remote.stop(id, { graceMs: 10 });
    await vi.waitFor(async () => expect(await remote.list()).toEqual([]));
  });

  it('refuses what is not a spec', async () => {
    await serve(withBuild(memoryHost()));
    const bad = { ...spec, environment: { 'BAD NAME': 'x' } };
    await expect(connect().start(bad)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(connect().start({ ...spec, command: ['a\0b'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('passes errors of the host on', async () => {
    await serve(withBuild(new MemoryInstanceHost(systemClock, systemTimers, { readyMs: 1, instancesMax: 0 })));
    await expect(connect().start(spec)).rejects.toMatchObject({ code: 'INSTANCE_LIMIT' });
  });

  it('passes on what the machine has, and that its memory is short', async () => {
    const local = new MemoryInstanceHost(systemClock, systemTimers, { readyMs: 1, memoryBudgetBytes: 1_000 });
    await serve(withBuild(local));
    const remote = connect();
    expect(await remote.capacity()).toEqual(await local.capacity());
    let pressed = 0;
    closing.defer(remote.watch({ onReset: () => undefined, onChange: () => undefined, onPressure: () => pressed++ }));
    const { id } = await remote.start({ ...spec, memoryBytesMax: 1_000 });
    local.setUsage(id, { memoryBytes: 999 });
    await vi.waitFor(() => expect(pressed).toBe(1));
  });

  it('watches again after the host was lost, with onReset before the new truth', async () => {
    const first = memoryHost();
    const server = await serve(withBuild(first));
    const seen: string[] = [];
    const end = connect().watch({ onReset: () => seen.push('reset'), onChange: (view) => seen.push(`${view.version} ${view.state}`) });
    closing.defer(end);
    await vi.waitFor(() => expect(seen).toEqual(['reset']));
    await first.start(spec);
    await vi.waitFor(() => expect(seen).toEqual(['reset', 'v1 starting', 'v1 ready']));

    await server.close();
    const second = memoryHost();
    await second.start({ ...spec, version: 'v2' });
    await serve(withBuild(second));
    await vi.waitFor(() => expect(seen.slice(3)).toEqual(['reset', 'v2 ready']), { timeout: 5_000 });
  });

  it('ends the watch in the host when the watcher does', async () => {
    const local = memoryHost();
    let watching = 0;
    await serve({
      ...withBuild(local),
      watch: (listener) => {
        watching++;
        const end = local.watch(listener);
        return () => {
          watching--;
          end();
        };
      },
    });
    const end = connect().watch({ onReset: () => undefined, onChange: () => undefined });
    await vi.waitFor(() => expect(watching).toBe(1));
    end();
    await vi.waitFor(() => expect(watching).toBe(0));
  });

  it('streams the output of a build in order before its result', async () => {
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`);
    const result: BuildResult = { code: 0, signal: null, reason: '', cpuMicros: 5 };
    const build: Build = (asked, { onOutput }) => {
      expect(asked).toEqual(buildSpec);
      for (const line of lines) onOutput(line);
      return Promise.resolve(result);
    };
    await serve(withBuild(memoryHost(), build));
    const seen: string[] = [];
    expect(await connect().build(buildSpec, { onOutput: (line) => seen.push(line) })).toEqual(result);
    expect(seen).toEqual(lines);
  });

  it('aborts the build in the host when the caller aborts', async () => {
    let aborted = false;
    const build: Build = (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('aborted'));
        });
      });
    await serve(withBuild(memoryHost(), build));
    const abort = new AbortController();
    const building = connect().build(buildSpec, { onOutput: () => undefined, signal: abort.signal });
    setTimeout(() => {
      abort.abort(new Error('enough'));
    }, 20);
    await expect(building).rejects.toThrow('enough');
    await vi.waitFor(() => expect(aborted).toBe(true));
  });
});

describe('the host in the same process', () => {
  it('is the same through InProcessRpc', async () => {
    const remote = new RpcInstanceHost(new InProcessRpc([hostService(withBuild(memoryHost()))], systemTimers), systemTimers);
    const seen: string[] = [];
    const end = remote.watch({ onReset: () => seen.push('reset'), onChange: (view) => seen.push(view.state) });
    await remote.start(spec);
    await vi.waitFor(() => expect(seen).toEqual(['reset', 'starting', 'ready']));
    end();
  });
});
