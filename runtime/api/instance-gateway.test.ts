import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type InstanceHost, type InstanceView } from '../host/instance.ts';
import { appIdentityApi } from '../services/app-identity.ts';
import { InstanceGateway, wireListener } from './instance-gateway.ts';

type Listener = Parameters<InstanceHost['watch']>[0];

/** A host whose list the test changes. */
class ScriptedHost implements InstanceHost {
  views: InstanceView[] = [];
  listener: Listener | undefined;

  start(): Promise<{ id: string }> {
    return Promise.reject(new Error('not in this test'));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  capacity(): Promise<never> {
    return Promise.reject(new Error('nobody asks'));
  }

  list(): Promise<readonly InstanceView[]> {
    return Promise.resolve(this.views);
  }

  watch(listener: Listener): () => void {
    this.listener = listener;
    this.replay();
    return () => (this.listener = undefined);
  }

  replay(): void {
    this.listener?.onReset();
    for (const view of this.views) this.listener?.onChange(view);
  }
}

let directory: string;
let host: ScriptedHost;
let gateway: InstanceGateway;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-'));
  host = new ScriptedHost();
  gateway = new InstanceGateway(host, new MemoryLog(), {
    socketName: 'api.sock',
    listenerOf: (view, path) => wireListener(path, view, [appIdentityApi('localhost').serviceOf(view)], systemTimers, new MemoryLog()),
  });
});

afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true });
});

async function addInstance(id: string, appId: string): Promise<InstanceView> {
  const socketDirectory = join(directory, id);
  await mkdir(socketDirectory);
  const view: InstanceView = {
    id,
    appId,
    service: 'default',
    version: 'v1',
    deploymentId: 'd',
    state: 'starting',
    socketDirectory,
    startedAtMs: 0,
    phases: {},
  };
  host.views.push(view);
  return view;
}

async function identityOver(view: InstanceView): Promise<unknown> {
  const rpc = new RpcClient(join(view.socketDirectory, 'api.sock'), systemClock, systemTimers);
  try {
    return await rpc.call('app_identity', 'get', {}, { deadlineMs: 2_000 });
  } finally {
    rpc.close();
  }
}

test('the socket is the identity: each instance is told who it is', async () => {
  const [one, two] = [await addInstance('a1', 'first'), await addInstance('b2', 'second')];
  gateway.start();
  expect(await identityOver(one)).toMatchObject({ applicationId: 'first', instanceId: 'a1', defaultVersionHostname: 'first.localhost' });
  expect(await identityOver(two)).toMatchObject({ applicationId: 'second', instanceId: 'b2' });
});

test('a socket closes with its instance, also when its end was missed', async () => {
  const [one, two] = [await addInstance('a1', 'first'), await addInstance('b2', 'second')];
  gateway.start();
  await identityOver(two);
  host.listener?.onChange({ ...one, state: 'exited' });
  expect(gateway.openIds).toEqual(['b2']);
  host.views = [];
  host.replay();
  await expect.poll(() => gateway.openIds).toEqual([]);
  await expect(stat(join(two.socketDirectory, 'api.sock'))).rejects.toThrow('ENOENT');
});

test("the platform's own instances get no socket", async () => {
  const worker = await addInstance('w1', '~images');
  const app = await addInstance('a1', 'first');
  gateway.start();
  await identityOver(app);
  expect(gateway.openIds).toEqual(['a1']);
  await expect(stat(join(worker.socketDirectory, 'api.sock'))).rejects.toThrow('ENOENT');
});

test('after the host was lost and came back, sockets that are still needed stay open', async () => {
  const one = await addInstance('a1', 'first');
  gateway.start();
  await identityOver(one);
  host.replay();
  expect(await identityOver(one)).toMatchObject({ applicationId: 'first' });
});
