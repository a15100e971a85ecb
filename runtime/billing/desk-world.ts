// A billing desk with one source and one gate, in virtual time: what tests of billing share.
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { BatchingUsageMeter } from './batching-usage-meter.ts';
import { BillingDesk } from './billing-desk.ts';
import { FollowedQuotaGate } from './followed-quota-gate.ts';
import { MemoryUsageStore } from './memory-usage-store.ts';
import { POLICY_DEFAULT, type QuotaPolicy } from './quota-policy.ts';

export class DeskWorld {
  readonly time: VirtualTime;
  readonly store: MemoryUsageStore;
  readonly desk: BillingDesk;
  readonly meter: BatchingUsageMeter;
  readonly gate: FollowedQuotaGate;
  /** What the wall clock is off by. */
  wallOffsetMs = 0;
  readonly clock: Clock = {
    nowMs: () => this.time.nowMs() + this.wallOffsetMs,
    monotonicMs: () => this.time.monotonicMs(),
  };

  private constructor(startMs: number, policy: QuotaPolicy, store: MemoryUsageStore) {
    this.time = new VirtualTime(startMs);
    this.store = store;
    const { clock, time } = this;
    const log = new MemoryLog();
    const random = new SeededRandom(startMs);
    const checkApp = (appId: string): void => {
      if (appId.startsWith('no-')) throw new PlatformError('APP_NOT_FOUND', appId);
    };
    this.desk = new BillingDesk(policy, store, checkApp, clock, time, random, log);
    const rpc = new InProcessRpc([this.desk.service()], time);
    this.meter = new BatchingUsageMeter('router', rpc, clock, time, random, log);
    this.gate = new FollowedQuotaGate(rpc, clock, time, log);
  }

  /** `store`: that of an earlier one, as after a restart. */
  static async start(startMs: number, policy: Partial<QuotaPolicy> = {}, store = new MemoryUsageStore()): Promise<DeskWorld> {
    const world = new DeskWorld(startMs, { ...POLICY_DEFAULT, ...policy }, store);
    await world.desk.start();
    world.meter.start();
    world.gate.start();
    await world.pass(1);
    return world;
  }

  async pass(ms: number, stepMs = 250): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.time.advance(Math.min(stepMs, ms - passed));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
