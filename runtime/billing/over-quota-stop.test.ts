import { expect, it } from 'vitest';
import { type ExceededQuota } from '../../router/ports.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type InstanceView } from '../host/instance.ts';
import { OverQuotaStop } from './over-quota-stop.ts';
import { type AppQuotaState } from './usage-wire.ts';

const view = (id: string, appId: string, startedAtMs = 0): InstanceView => ({
  ...{ id, appId, service: 'default', version: 'v1', deploymentId: 'd', state: 'ready', socketDirectory: '/', startedAtMs, phases: {} },
});
const over = (appId: string, more: Partial<ExceededQuota> = {}): AppQuotaState => ({
  appId,
  exceeded: [
    { ...{ resource: 'cpuMegacycles', title: '', reason: 'free', used: 1, limit: 1, usedText: '', limitText: '', resetsAtMs: 1 }, ...more },
  ],
});

function world(): { time: VirtualTime; stopped: string[]; instances: InstanceView[]; keeper: { states: AppQuotaState[] } } {
  const time = new VirtualTime(100_000);
  const stopped: string[] = [];
  const instances = [view('a', 'shop'), view('b', 'shop'), view('c', 'blog')];
  const keeper: { states: AppQuotaState[] } = { states: [] };
  const host = {
    list: () => Promise.resolve(instances.filter(({ id }) => !stopped.includes(id))),
    stop: (id: string) => Promise.resolve(void stopped.push(id)),
  };
  new OverQuotaStop(keeper, host, time, time, new MemoryLog()).start();
  return { time, stopped, instances, keeper };
}

it("stops all instances of the app, once requests under way had their time, and no other's", async () => {
  const { time, stopped, keeper } = world();
  keeper.states = [over('shop')];
  await time.advanceAsync(LIMITS.overQuotaRunMs);
  expect(stopped).toEqual([]);
  await time.advanceAsync(2_000);
  expect(stopped).toEqual(['a', 'b']);
});

it('stops nothing for a quota of the minute, of calls, or one that was over in time', async () => {
  const { time, stopped, keeper } = world();
  keeper.states = [over('shop', { reason: 'minute' }), over('blog', { resource: 'mailCalls' })];
  await time.advanceAsync(60_000);
  keeper.states = [over('shop')];
  await time.advanceAsync(LIMITS.overQuotaRunMs - 1_000);
  keeper.states = [];
  await time.advanceAsync(5_000);
  keeper.states = [over('shop')];
  await time.advanceAsync(LIMITS.overQuotaRunMs - 1_000);
  expect(stopped).toEqual([]);
});

it('gives an instance that was started since its time', async () => {
  const { time, stopped, instances, keeper } = world();
  keeper.states = [over('shop')];
  await time.advanceAsync(LIMITS.overQuotaRunMs + 2_000);
  instances.push(view('d', 'shop', time.nowMs()));
  await time.advanceAsync(LIMITS.overQuotaRunMs - 2_000);
  expect(stopped).toEqual(['a', 'b']);
  await time.advanceAsync(5_000);
  expect(stopped).toEqual(['a', 'b', 'd']);
});
