import { describe, expect, it } from 'vitest';
import { type ExceededQuota } from '../../router/ports.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { FollowedQuotaGate } from './followed-quota-gate.ts';
import { UsageFeed } from './usage-feed.ts';
import { type AppQuotaState } from './usage-wire.ts';

const NOW_MS = Date.UTC(2026, 10, 26, 12);
const quota = (more: Partial<ExceededQuota> = {}): ExceededQuota => ({
  ...{ resource: 'cpuMegacycles', title: 'CPU time', reason: 'free', used: 7, limit: 6, usedText: '7 CPU-hours', limitText: '6 CPU-hours' },
  resetsAtMs: NOW_MS + 60_000,
  ...more,
});

/** Says what a test wants, and can go away. */
class ScriptedKeeper {
  states: readonly AppQuotaState[] = [];
  readonly #watchers = new Set<() => void>();

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  say(...states: readonly AppQuotaState[]): void {
    this.states = states;
    for (const watcher of this.#watchers) watcher();
  }
}

async function follow(...states: readonly AppQuotaState[]) {
  const time = new VirtualTime(NOW_MS);
  const keeper = new ScriptedKeeper();
  keeper.say(...states);
  let feed = new UsageFeed({ report: () => Promise.reject(new Error('not here')) }, keeper);
  let rpc: Rpc = new InProcessRpc([feed.service()], time);
  const gate = new FollowedQuotaGate({ call: (...args) => rpc.call(...args) }, time, time, new MemoryLog());
  gate.start();
  await time.advanceAsync(1);
  return {
    time,
    keeper,
    gate,
    stopControl: () => feed.close(),
    startControl: () => {
      feed = new UsageFeed({ report: () => Promise.reject(new Error('not here')) }, keeper);
      rpc = new InProcessRpc([feed.service()], time);
    },
  };
}

describe('the gate', () => {
  it('refuses who is over quota and lets all others pass', async () => {
    const { gate } = await follow({ appId: 'shop', exceeded: [quota()] });
    expect(() => gate.admit('shop')).toThrow('CPU time: 7 CPU-hours of 6 CPU-hours; it resets at 2026-11-26T12:01:00Z');
    expect(() => gate.check('shop', 'cpuMegacycles')).toThrow('over its quota');
    expect(() => gate.check('shop', 'mailCalls')).not.toThrow();
    expect(() => gate.admit('blog')).not.toThrow();
  });

  it('lets requests pass when only calls of one kind are over quota', async () => {
    const { gate } = await follow({ appId: 'shop', exceeded: [quota({ resource: 'mailRecipients' })] });
    expect(() => gate.admit('shop')).not.toThrow();
    expect(() => gate.check('shop', 'mailRecipients')).toThrow('over its quota');
  });

  it('hears of changes at once', async () => {
    const { gate, keeper, time } = await follow();
    expect(() => gate.admit('shop')).not.toThrow();
    keeper.say({ appId: 'shop', exceeded: [quota()] });
    await time.advanceAsync(1);
    expect(() => gate.admit('shop')).toThrow();
    keeper.say();
    await time.advanceAsync(1);
    expect(() => gate.admit('shop')).not.toThrow();
  });

  it('stays with the last word while the control role is away, until the quota resets', async () => {
    const { gate, keeper, stopControl, startControl, time } = await follow({ appId: 'shop', exceeded: [quota()] });
    stopControl();
    keeper.say();
    await time.advanceAsync(30_000);
    expect(() => gate.admit('shop')).toThrow();
    await time.advanceAsync(31_000);
    expect(() => gate.admit('shop')).not.toThrow();
    keeper.say({ appId: 'shop', exceeded: [quota({ resetsAtMs: NOW_MS + 600_000 })] });
    startControl();
    await time.advanceAsync(1_000);
    expect(() => gate.admit('shop')).toThrow();
  });
});
