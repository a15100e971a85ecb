import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { RpcSchedulerClient, schedulerService } from './scheduler-rpc.ts';
import { type SchedulerView } from './scheduler-view.ts';

const VIEW: SchedulerView = {
  hostRoom: 199,
  pools: [
    {
      appId: 'guestbook',
      service: 'default',
      version: 'v1',
      deploymentId: 'd1',
      scaling: 'automatic' as const,
      isServing: true,
      isStopped: false,
      isDraining: false,
      inFlight: 1,
      queued: 0,
      headWaitMs: 0,
      requested: 0,
      instances: [{ id: 'i1', state: 'ready', inFlight: 1, isSuspect: false, startedAtMs: 5 }],
      startFailures: 0,
    },
  ],
};

const stopped: string[] = [];

const clientOf = (warm: (deploymentId: string) => Promise<void>): { readonly client: RpcSchedulerClient; readonly rpc: InProcessRpc } => {
  const rpc = new InProcessRpc(
    [schedulerService({ warm, awaitServing: warm, stopInstance: (id) => stopped.push(id), view: () => VIEW })],
    new VirtualTime(),
  );
  return { client: new RpcSchedulerClient(rpc), rpc };
};

describe('the scheduler over RPC', () => {
  it('warms a deployment and shows the pools', async () => {
    const warmed: string[] = [];
    const { client } = clientOf((deploymentId) => {
      warmed.push(deploymentId);
      return Promise.resolve();
    });
    await client.warm('d1');
    await client.awaitServing('d2');
    expect(warmed).toEqual(['d1', 'd2']);
    expect(await client.view()).toEqual(VIEW);
    await client.stopInstance('i1');
    expect(stopped).toEqual(['i1']);
  });

  it('hands on why a start failed', async () => {
    const { client } = clientOf(() =>
      Promise.reject(new PlatformError('INSTANCE_EXITED', 'exited with code 1', { details: { stderrTail: 'oh' } })),
    );
    await expect(client.warm('d1')).rejects.toMatchObject({ code: 'INSTANCE_EXITED', details: { stderrTail: 'oh' } });
  });

  it('refuses a payload that does not fit', async () => {
    const { rpc } = clientOf(() => Promise.resolve());
    await expect(rpc.call('scheduler', 'warm', { deploymentId: 7 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(rpc.call('scheduler', 'warm', { deploymentId: '' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
