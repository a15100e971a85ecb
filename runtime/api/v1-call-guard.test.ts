import { expect, test } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { CallPassage, type CallObserver } from './call-passage.ts';
import { type ApiService, ServiceTable } from './service-table.ts';
import { MemoryUsageMeter, OPEN_GATE, type QuotaGate } from './usage-meter.ts';
import { V1CallGuard } from './v1-call-guard.ts';

function guarded(gate: QuotaGate = OPEN_GATE, observer?: CallObserver) {
  const meter = new MemoryUsageMeter();
  const passage = new CallPassage(gate, meter, observer);
  return { meter, passage, guard: new V1CallGuard(passage, gate, meter) };
}

function gateWithout(...gone: readonly string[]): QuotaGate {
  return {
    check: (appId, resource) => {
      if (gone.includes(resource)) throw new PlatformError('QUOTA_EXCEEDED', `${appId} ${resource}`);
    },
  };
}

test('a call is counted and costs its cycles, and each further entity that it reads as much again', async () => {
  const { guard, meter } = guarded();
  expect(await guard.around('shop', 'Lookup', () => Promise.resolve('answer'))).toBe('answer');
  expect(meter.totals.get('shop')).toEqual({ datastoreCalls: 1, cpuMegacycles: 10 });
  guard.entitiesRead('shop', 1);
  guard.entitiesRead('shop', 0);
  expect(meter.totals.get('shop')).toEqual({ datastoreCalls: 1, cpuMegacycles: 10 });
  guard.entitiesRead('shop', 20);
  expect(meter.totals.get('shop')).toEqual({ datastoreCalls: 1, cpuMegacycles: 200 });
});

test('a call that fails was made all the same, and its code is told to whoever watches', async () => {
  const seen: string[] = [];
  const observer: CallObserver = { begin: () => 7, end: (...told) => void seen.push(told.join(' ')) };
  const { guard, meter } = guarded(OPEN_GATE, observer);
  await expect(guard.around('shop', 'Commit', () => Promise.reject(new PlatformError('DS_NOT_FOUND')))).rejects.toThrow();
  expect(meter.totals.get('shop')?.datastoreCalls).toBe(1);
  expect(seen).toEqual(['datastore-v1 Commit 7 DS_NOT_FOUND']);
});

test('over its quota of calls an app is refused before anything runs or is counted', async () => {
  const { guard, meter } = guarded(gateWithout('datastoreCalls'));
  let ran = false;
  const call = guard.around('shop', 'Lookup', () => Promise.resolve((ran = true)));
  await expect(call).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  expect([ran, meter.totals.size]).toEqual([false, 0]);
});

test('over its quota of stored data an app may not grow, and goes on calling', async () => {
  const { guard } = guarded(gateWithout('storedByteHours'));
  expect(() => {
    guard.checkGrowth('shop');
  }).toThrow('shop storedByteHours');
  expect(await guard.around('shop', 'Commit', () => Promise.resolve('deleted'))).toBe('deleted');
});

test("calls of an app's instances and of the public API are bounded in sum, and another app's are not counted with them", async () => {
  const { guard, passage } = guarded();
  const ends: (() => void)[] = [];
  const hold = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const api: ApiService = {
    ...{ name: 'datastore', resource: 'datastoreCalls', megacyclesPerCall: 10, deadlineMs: 0 },
    serviceOf: () => ({ name: 'datastore', methods: { lookup: hold } }),
  };
  const services = new ServiceTable([api], passage, systemTimers).servicesOf({ id: 'i', appId: 'shop', service: 'default', version: 'v1' });
  const wire = new InProcessRpc(services, systemTimers);
  const calls = Array.from({ length: LIMITS.apiCallsInFlightMax }, (_, index) =>
    index % 2 === 0 ? wire.call('datastore', 'lookup', {}) : guard.around('shop', 'Lookup', hold),
  );
  await expect.poll(() => ends.length).toBe(LIMITS.apiCallsInFlightMax);
  await expect(guard.around('shop', 'Lookup', hold)).rejects.toMatchObject({ code: 'RPC_OVERLOADED' });
  expect(await guard.around('blog', 'Lookup', () => Promise.resolve('passes'))).toBe('passes');
  for (const end of ends) end();
  await Promise.all(calls);
  expect(await guard.around('shop', 'Lookup', () => Promise.resolve('passes'))).toBe('passes');
});
