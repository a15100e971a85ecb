import { expect, test } from 'vitest';
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { method, type MethodHandler } from '../../sdk/contract/wire/service.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { CallPassage } from './call-passage.ts';
import { type ApiService, ServiceTable } from './service-table.ts';
import { MemoryUsageMeter, OPEN_GATE, type QuotaGate } from './usage-meter.ts';

const CALLER = { id: 'i1', appId: 'shop', service: 'default', version: 'v1' };

function echo(handle: MethodHandler, deadlineMs = 0): ApiService {
  return {
    name: 'echo',
    resource: 'memcacheCalls',
    megacyclesPerCall: 3,
    deadlineMs,
    serviceOf: () => ({ name: 'echo', methods: { say: handle } }),
  };
}

function table(api: ApiService, gate: QuotaGate = OPEN_GATE) {
  const meter = new MemoryUsageMeter();
  const services = new ServiceTable([api], new CallPassage(gate, meter), systemTimers);
  return { meter, services, rpc: new InProcessRpc(services.servicesOf(CALLER), systemTimers) };
}

const say = method(z.strictObject({ text: z.string() }), ({ text }) => ({ text }));

test('a call is counted and costs its cycles, whether it succeeds or not', async () => {
  const { rpc, meter } = table(echo(say));
  expect(await rpc.call('echo', 'say', { text: 'hi' })).toEqual({ text: 'hi' });
  await expect(rpc.call('echo', 'say', { text: 5 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(meter.totals.get('shop')).toEqual({ memcacheCalls: 2, cpuMegacycles: 6 });
});

test('an app over its quota gets the error before anything runs or is counted', async () => {
  const gate: QuotaGate = {
    check: (appId, resource) => {
      throw new PlatformError('QUOTA_EXCEEDED', `${appId} ${resource}`);
    },
  };
  let ran = false;
  const { rpc, meter } = table(
    echo(() => (ran = true)),
    gate,
  );
  await expect(rpc.call('echo', 'say', {})).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  expect(ran).toBe(false);
  expect(meter.totals.size).toBe(0);
});

test('a call that takes too long ends with an error, and its handler is told', async () => {
  let reason: unknown;
  const { rpc } = table(
    echo(
      (_payload, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
          });
        }),
      20,
    ),
  );
  await expect(rpc.call('echo', 'say', {})).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

test('an app has at most so many calls of one service under way; a place becomes free again', async () => {
  const ends: (() => void)[] = [];
  const { rpc } = table(echo(() => new Promise<void>((resolve) => ends.push(resolve))));
  const calls = Array.from({ length: LIMITS.apiCallsInFlightMax }, () => rpc.call('echo', 'say', {}));
  await expect(rpc.call('echo', 'say', {})).rejects.toMatchObject({ code: 'RPC_OVERLOADED' });
  for (const end of ends) end();
  await Promise.all(calls);
  const again = rpc.call('echo', 'say', {});
  await expect.poll(() => ends.length).toBe(LIMITS.apiCallsInFlightMax + 1);
  ends.at(-1)?.();
  await again;
});
