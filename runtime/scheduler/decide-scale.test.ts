import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { decideScale } from './decide-scale.ts';
import { type Load, type PoolState, type ScaleDecision, type ScaleSpec } from './scale-decision.ts';

const NOW_MS = 1_000_000;
const KEEP_ALIVE_MS = 900_000;

const scaling = (change: Partial<AutomaticScaling> = {}): AutomaticScaling => ({
  kind: 'automatic',
  minInstances: 0,
  maxInstances: 20,
  minIdleInstances: 0,
  maxConcurrentRequests: 10,
  targetThroughputUtilization: 0.6,
  targetCpuUtilization: 0.6,
  ...change,
});

const NO_LOAD: Load = {
  inFlight: 0,
  queued: 0,
  headWaitMs: 0,
  inFlightMean: 0,
  demandMean: 0,
  demandUsual: 0,
  serviceMs: 100,
  bootMs: 150,
  activeAtMs: NOW_MS,
};

const NO_INSTANCES: PoolState = {
  ready: 0,
  booting: 0,
  leaving: 0,
  idle: [],
  startsRecent: 0,
  noStartBeforeMs: -Infinity,
  hostRoom: 100,
  isDraining: false,
  isWarming: false,
};

const idle = (...idleSinceMs: number[]): PoolState['idle'] =>
  idleSinceMs.map((sinceMs, index) => ({ id: `i${index}`, idleSinceMs: sinceMs }));

interface Case {
  readonly name: string;
  readonly load?: Partial<Load>;
  readonly scaling?: Partial<AutomaticScaling>;
  readonly spec?: Partial<ScaleSpec>;
  readonly pool?: Partial<PoolState>;
  readonly want: Partial<ScaleDecision>;
}

const decide = (each: Omit<Case, 'name' | 'want'>): ScaleDecision =>
  decideScale(
    { ...NO_LOAD, ...each.load },
    { scaling: scaling(each.scaling), isServing: true, isDeployed: true, keepAliveMs: KEEP_ALIVE_MS, cpuInstancesMax: 8, ...each.spec },
    { ...NO_INSTANCES, ...each.pool },
    NOW_MS,
  );

const table = (cases: readonly Case[]): void => {
  for (const each of cases) it(each.name, () => expect(decide(each)).toMatchObject(each.want));
};

describe('starting because requests wait', () => {
  table([
    { name: 'starts nothing for nothing', want: { start: 0, stop: [], short: 0 } },
    { name: 'starts one at once for the first request', load: { queued: 1 }, want: { start: 1, reason: 'pending' } },
    {
      name: 'starts one, not two, when an instance takes one request',
      load: { queued: 1 },
      scaling: { maxConcurrentRequests: 1 },
      want: { start: 1 },
    },
    { name: 'starts nothing more while a boot covers the need', load: { queued: 6 }, pool: { booting: 1 }, want: { start: 0 } },
    {
      name: 'starts nothing more while the places to come serve them sooner than a boot would',
      // 15 × 100 ms / 10 places: as long as a boot, however long the head has waited for this one.
      load: { queued: 14, headWaitMs: 400 },
      pool: { booting: 1 },
      want: { start: 0, recheckMs: 10 },
    },
    { name: 'starts one more when they would not', load: { queued: 15 }, pool: { booting: 1 }, want: { start: 1, reason: 'pending' } },
    {
      name: 'waits for a place that comes free before a boot would end',
      load: { inFlight: 10, queued: 1, serviceMs: 100, bootMs: 150, inFlightMean: 1 },
      pool: { ready: 1 },
      // 100 ms / 10 in flight: a place in 10 ms, against 150 ms of a boot.
      want: { start: 0, recheckMs: 100 },
    },
    {
      name: 'starts when places come free later than a boot would end',
      load: { inFlight: 10, queued: 1, serviceMs: 2_000, bootMs: 150 },
      pool: { ready: 1 },
      want: { start: 1, reason: 'pending' },
    },
    {
      name: 'starts when the newest of a flood would wait too long, though the head would not',
      load: { inFlight: 10, queued: 20, serviceMs: 100, bootMs: 150 },
      pool: { ready: 1 },
      // 20 × 10 ms = 200 ms; need = ceil(30 / 6) = 5, paced to twice one.
      want: { start: 1, reason: 'pending', recheckMs: 250 },
    },
    {
      name: 'takes requests for ordinary pages when nobody knows how long they take',
      load: { inFlight: 10, queued: 14, serviceMs: undefined },
      pool: { ready: 1 },
      want: { start: 0 },
    },
    {
      name: 'and starts when even those would take longer than a boot',
      load: { inFlight: 10, queued: 15, serviceMs: undefined },
      pool: { ready: 1 },
      want: { start: 1 },
    },
    {
      name: 'starts no more than four for a version that has answered nothing yet',
      load: { queued: 1_000, serviceMs: undefined },
      pool: { booting: 3 },
      want: { start: 1 },
    },
    {
      name: 'and waits with those for the first answer',
      load: { queued: 1_000, serviceMs: undefined },
      pool: { booting: 4 },
      want: { start: 0 },
    },
    {
      name: 'takes a boot for half a second when nobody knows how long one takes',
      load: { inFlight: 10, queued: 49, bootMs: undefined },
      pool: { ready: 1 },
      want: { start: 0, recheckMs: 10 },
    },
    {
      name: 'lets an app ask for patience by min_pending_latency',
      load: { inFlight: 10, queued: 1, headWaitMs: 300, serviceMs: 2_000 },
      scaling: { minPendingLatencyMs: 1_000 },
      pool: { ready: 1 },
      // 300 waited + 200 expected: half a second to spare.
      want: { start: 0, recheckMs: 500 },
    },
    {
      name: 'never waits longer than max_pending_latency, whatever min_pending_latency says',
      load: { inFlight: 10, queued: 1, headWaitMs: 0, serviceMs: 2_000 },
      scaling: { minPendingLatencyMs: 5_000, maxPendingLatencyMs: 200 },
      pool: { ready: 1 },
      want: { start: 1, reason: 'pending' },
    },
    {
      name: 'caps automatic patience at half a second for apps that boot slowly',
      load: { inFlight: 10, queued: 1, headWaitMs: 400, serviceMs: 1_000, bootMs: 9_000 },
      pool: { ready: 1 },
      want: { start: 1, reason: 'pending' },
    },
    {
      name: 'starts one more after max_pending_latency though a boot covers the need',
      load: { queued: 3, headWaitMs: 600 },
      scaling: { maxPendingLatencyMs: 500 },
      pool: { booting: 1, startedAtMs: NOW_MS - 600 },
      want: { start: 1, reason: 'max-pending' },
    },
    {
      name: 'does that once in max_pending_latency',
      load: { queued: 3, headWaitMs: 900 },
      scaling: { maxPendingLatencyMs: 500 },
      pool: { booting: 2, startedAtMs: NOW_MS - 300 },
      want: { start: 0, recheckMs: 200 },
    },
    {
      name: 'never boots more for max_pending_latency than requests wait',
      load: { queued: 1, headWaitMs: 5_000 },
      scaling: { maxPendingLatencyMs: 500 },
      pool: { booting: 1, startedAtMs: NOW_MS - 5_000 },
      want: { start: 0 },
    },
  ]);
});

describe('starting ahead of the queue', () => {
  table([
    {
      name: 'starts when the mean in flight passes the target utilisation',
      load: { inFlight: 7, inFlightMean: 6.5 },
      pool: { ready: 1 },
      want: { start: 1, reason: 'throughput' },
    },
    {
      name: 'needs one more than one for that',
      load: { inFlight: 6, inFlightMean: 6 },
      pool: { ready: 1 },
      want: { start: 0 },
    },
    {
      name: 'starts when more than all can hold lasts for half a second',
      load: { inFlight: 10, queued: 4, demandMean: 10.5 },
      pool: { ready: 1 },
      want: { start: 1, reason: 'throughput' },
    },
    {
      name: 'not while others boot, which they wait for',
      load: { inFlight: 10, queued: 14, demandMean: 24 },
      pool: { ready: 1, booting: 1 },
      want: { start: 0 },
    },
    {
      name: 'not before it shows what those did that have just started',
      load: { inFlight: 10, queued: 4, demandMean: 10.5 },
      pool: { ready: 1, startedAtMs: NOW_MS - 649 },
      want: { start: 0 },
    },
    {
      name: 'but then',
      load: { inFlight: 10, queued: 4, demandMean: 10.5 },
      pool: { ready: 1, startedAtMs: NOW_MS - 650 },
      want: { start: 1 },
    },
    {
      name: 'looks again soon while only the moment is above it',
      load: { inFlight: 10, queued: 1, demandMean: 4 },
      pool: { ready: 1 },
      want: { start: 0, recheckMs: 100 },
    },
    {
      name: 'leaves that to the queue when the app sets min_pending_latency',
      load: { inFlight: 9, inFlightMean: 9 },
      scaling: { minPendingLatencyMs: 100 },
      pool: { ready: 1 },
      want: { start: 0 },
    },
    {
      name: 'starts one more when the instances use more than target_cpu_utilization',
      load: { inFlight: 2, cpu: 1.3 },
      pool: { ready: 2 },
      // 1.3 of the share of two: 0.65, against 0.6.
      want: { start: 1, reason: 'cpu' },
    },
    { name: 'starts none for the CPU at the target', load: { inFlight: 2, cpu: 1.2 }, pool: { ready: 2 }, want: { start: 0 } },
    {
      name: 'keeps to the target that the app sets',
      load: { inFlight: 2, cpu: 1.3 },
      scaling: { targetCpuUtilization: 0.9 },
      pool: { ready: 2 },
      want: { start: 0 },
    },
    {
      name: 'waits five seconds for the effect of a start',
      load: { inFlight: 2, cpu: 2 },
      pool: { ready: 2, startedAtMs: NOW_MS - 4_999 },
      want: { start: 0 },
    },
    { name: 'starts none for the CPU while one boots', load: { inFlight: 2, cpu: 2 }, pool: { ready: 2, booting: 1 }, want: { start: 0 } },
    {
      name: 'starts none for the CPU that the machine does not have',
      load: { inFlight: 2, cpu: 3 },
      spec: { cpuInstancesMax: 2 },
      pool: { ready: 2 },
      want: { start: 0 },
    },
    { name: 'holds min_instances for a version with traffic', scaling: { minInstances: 2 }, want: { start: 2, reason: 'min-instances' } },
    { name: 'not for one without', scaling: { minInstances: 2 }, spec: { isServing: false }, want: { start: 0 } },
    {
      name: 'adds min_idle_instances to the need',
      load: { inFlight: 7 },
      scaling: { minIdleInstances: 2 },
      pool: { ready: 2 },
      want: { start: 2, reason: 'min-idle' },
    },
    { name: 'starts one for a deploy that warms its version', pool: { isWarming: true }, want: { start: 1, reason: 'warm' } },
  ]);
});

describe('limits of starting', () => {
  table([
    { name: 'starts two of a burst at once from nothing', load: { queued: 200 }, want: { start: 2, recheckMs: 250 } },
    {
      name: 'doubles in a quarter of a second',
      load: { inFlight: 30, queued: 200 },
      pool: { ready: 3 },
      want: { start: 3, recheckMs: 250 },
    },
    {
      name: 'starts nothing more in that quarter',
      load: { inFlight: 30, queued: 200 },
      pool: { ready: 3, booting: 3, startsRecent: 3 },
      want: { start: 0, recheckMs: 250 },
    },
    {
      name: 'stops at max_instances, counting those on their way out',
      load: { inFlight: 40, queued: 100 },
      scaling: { maxInstances: 6 },
      pool: { ready: 4, leaving: 1 },
      want: { start: 1 },
    },
    {
      name: 'takes max_instances 0 for none',
      load: { queued: 600 },
      scaling: { maxInstances: 0 },
      pool: { booting: 40 },
      want: { start: 40 },
    },
    {
      name: 'asks for room when the host is full',
      load: { queued: 1 },
      pool: { hostRoom: 0 },
      want: { start: 0, short: 1, recheckMs: 250 },
    },
    { name: 'waits while backing off', load: { queued: 1 }, pool: { noStartBeforeMs: NOW_MS + 700 }, want: { start: 0, recheckMs: 700 } },
    {
      name: 'but not for a deploy that warms its version',
      pool: { noStartBeforeMs: NOW_MS + 700, isWarming: true },
      want: { start: 1, reason: 'warm' },
    },
    { name: 'starts nothing while draining', load: { queued: 50 }, pool: { ready: 1, isDraining: true }, want: { start: 0, stop: [] } },
  ]);
});

describe('scaling down', () => {
  const long = NOW_MS - 100_000;
  table([
    {
      name: 'stops the one that is idle longest',
      load: { demandUsual: 6 },
      pool: { ready: 3, idle: idle(NOW_MS - 10, long, NOW_MS - 500) },
      want: { stop: ['i1'] },
    },
    {
      name: 'keeps what holds the usual demand of the last minute',
      load: { demandUsual: 20.1 },
      pool: { ready: 3, idle: idle(long, long) },
      want: { stop: [] },
    },
    {
      name: 'and no more',
      load: { demandUsual: 20 },
      pool: { ready: 3, idle: idle(long, long) },
      want: { stop: ['i0'] },
    },
    {
      name: 'keeps what the throughput rule would start again',
      load: { demandUsual: 20, inFlightMean: 12.1 },
      pool: { ready: 3, idle: idle(long, long) },
      want: { stop: [] },
    },
    {
      name: 'keeps what requests of minutes need, though none came of late',
      load: { inFlight: 21 },
      pool: { ready: 3, idle: idle(long) },
      want: { stop: [] },
    },
    {
      name: 'stops none in the minute after a start',
      pool: { ready: 3, idle: idle(long), startedAtMs: NOW_MS - 59_999 },
      want: { stop: [] },
    },
    {
      name: 'but does after that',
      pool: { ready: 3, idle: idle(long), startedAtMs: NOW_MS - 60_000 },
      want: { stop: ['i0'] },
    },
    {
      name: 'stops half of a surplus at once, those idle longest',
      pool: { ready: 6, idle: idle(long, NOW_MS - 1, long - 1, long - 2, long - 3, NOW_MS) },
      want: { stop: ['i4', 'i3', 'i2'] },
    },
    {
      name: 'keeps what the CPU of the last minute needs',
      load: { demandUsual: 1, cpu: 0.1, cpuPeak: 1.3 },
      pool: { ready: 3, idle: idle(long, long) },
      // 1.3 / 0.6: three.
      want: { stop: [] },
    },
    {
      name: 'and lets go what the machine has no CPU for',
      load: { demandUsual: 1, cpu: 0.1, cpuPeak: 1.3 },
      spec: { cpuInstancesMax: 2 },
      pool: { ready: 3, idle: idle(long, long) },
      want: { stop: ['i0'] },
    },
    {
      name: 'stops nothing more for fifteen seconds',
      load: {},
      pool: { ready: 3, idle: idle(long), stoppedAtMs: NOW_MS - 14_999 },
      want: { stop: [] },
    },
    {
      name: 'stops the next after that',
      load: {},
      pool: { ready: 3, idle: idle(long), stoppedAtMs: NOW_MS - 15_000 },
      want: { stop: ['i0'] },
    },
    { name: 'never stops a busy one', load: { inFlight: 3 }, pool: { ready: 3, idle: [] }, want: { stop: [] } },
    {
      name: 'keeps the last one for the keep-alive time',
      load: { activeAtMs: NOW_MS - KEEP_ALIVE_MS + 1 },
      pool: { ready: 1, idle: idle(long) },
      want: { stop: [] },
    },
    {
      name: 'goes to zero after it',
      load: { activeAtMs: NOW_MS - KEEP_ALIVE_MS },
      pool: { ready: 1, idle: idle(long) },
      want: { stop: ['i0'] },
    },
    {
      name: 'never goes below min_instances',
      load: { activeAtMs: 0 },
      scaling: { minInstances: 2 },
      pool: { ready: 2, idle: idle(long, long) },
      want: { stop: [] },
    },
    {
      name: 'lets min_instances go once the version has no traffic',
      load: { activeAtMs: 0 },
      scaling: { minInstances: 2 },
      spec: { isServing: false },
      pool: { ready: 2, idle: idle(long, long) },
      want: { stop: ['i0'] },
    },
    {
      name: 'keeps min_idle_instances beside the need',
      load: { demandUsual: 6, inFlight: 1 },
      scaling: { minIdleInstances: 1 },
      pool: { ready: 2, idle: idle(long) },
      want: { stop: [] },
    },
    {
      name: 'stops idle ones above max_idle_instances though the demand would keep them',
      load: { demandUsual: 100, inFlight: 6 },
      scaling: { maxIdleInstances: 1 },
      pool: { ready: 10, idle: idle(long, long) },
      want: { stop: ['i0'] },
    },
    {
      name: 'stops all idle ones when drained',
      load: { demandUsual: 60 },
      pool: { ready: 3, idle: idle(long, long), isDraining: true },
      want: { stop: ['i0', 'i1'] },
    },
    {
      name: 'keeps them while those held before the drain wait',
      load: { queued: 1 },
      pool: { ready: 1, idle: idle(long), isDraining: true },
      want: { stop: [] },
    },
  ]);
});

describe('basic scaling', () => {
  const basic: Partial<ScaleSpec> = { scaling: { kind: 'basic', maxInstances: 3, idleTimeoutMs: 300_000 } };
  const cases: readonly Case[] = [
    { name: 'has no instance without a request', want: { start: 0, stop: [] } },
    { name: 'starts one for the first request', load: { queued: 1 }, want: { start: 1, reason: 'pending' } },
    { name: 'starts none while one that boots has room for all', load: { queued: 10 }, pool: { booting: 1 }, want: { start: 0 } },
    { name: 'starts the next for the eleventh', load: { inFlight: 10, queued: 1 }, pool: { ready: 1 }, want: { start: 1 } },
    { name: 'keeps to max_instances', load: { inFlight: 30, queued: 50 }, pool: { ready: 3 }, want: { start: 0 } },
    {
      name: 'starts none ahead of a request that waits',
      load: { inFlight: 10, inFlightMean: 10, demandUsual: 30 },
      pool: { ready: 1 },
      want: { start: 0 },
    },
    {
      name: 'stops every instance that was idle for idle_timeout, and no other',
      load: { demandUsual: 30 },
      pool: { ready: 3, idle: idle(NOW_MS - 300_000, NOW_MS - 299_999, NOW_MS - 400_000) },
      want: { stop: ['i0', 'i2'] },
    },
    {
      name: 'has nothing to do with min_instances, the keep-alive time or the pace of scaling down',
      load: { activeAtMs: NOW_MS },
      pool: { ready: 1, idle: idle(NOW_MS - 300_000), stoppedAtMs: NOW_MS },
      want: { stop: ['i0'] },
    },
    { name: 'starts one for a deploy', pool: { isWarming: true }, want: { start: 1, reason: 'warm' } },
    { name: 'backs off', load: { queued: 1 }, pool: { noStartBeforeMs: NOW_MS + 900 }, want: { start: 0, recheckMs: 900 } },
    { name: 'stops idle ones when drained', pool: { ready: 1, idle: idle(NOW_MS), isDraining: true }, want: { stop: ['i0'] } },
  ];
  for (const each of cases) it(each.name, () => expect(decide({ ...each, spec: { ...basic, ...each.spec } })).toMatchObject(each.want));
});

describe('manual scaling', () => {
  const manual: Partial<ScaleSpec> = { scaling: { kind: 'manual', instances: 2 } };
  const long = NOW_MS - 10_000_000;
  const cases: readonly Case[] = [
    { name: 'starts its instances without any request', want: { start: 2, reason: 'manual' } },
    { name: 'with traffic or without', spec: { isServing: false }, want: { start: 2 } },
    { name: 'not before its deploy is done', spec: { isServing: false, isDeployed: false }, want: { start: 0 } },
    {
      name: 'but for the one that the deploy warms',
      spec: { isServing: false, isDeployed: false },
      pool: { isWarming: true },
      want: { start: 1, reason: 'warm' },
    },
    {
      name: 'starts no more whatever the load',
      load: { inFlight: 20, queued: 100, headWaitMs: 9_000 },
      pool: { ready: 2 },
      want: { start: 0 },
    },
    {
      name: 'keeps them however long they are idle',
      load: { activeAtMs: 0 },
      pool: { ready: 2, idle: idle(long, long) },
      want: { stop: [] },
    },
    { name: 'replaces one that is on its way out', pool: { ready: 1, leaving: 1 }, want: { start: 1 } },
    {
      name: 'lets the surplus go at once, idle ones first',
      pool: { ready: 4, idle: idle(NOW_MS - 5, NOW_MS - 9, NOW_MS - 1) },
      want: { stop: ['i1', 'i0'], drain: 0 },
    },
    { name: 'and drains busy ones', pool: { ready: 4, idle: idle(NOW_MS) }, want: { stop: ['i0'], drain: 1 } },
    {
      name: 'takes none for surplus before the control plane was heard',
      spec: { isServing: false, isDeployed: false },
      pool: { ready: 4, idle: idle(long) },
      want: { stop: [], drain: 0 },
    },
    { name: 'backs off', pool: { noStartBeforeMs: NOW_MS + 900 }, want: { start: 0, recheckMs: 900 } },
    { name: 'stops them when drained', pool: { ready: 2, idle: idle(long, long), isDraining: true }, want: { stop: ['i0', 'i1'] } },
  ];
  for (const each of cases) it(each.name, () => expect(decide({ ...each, spec: { ...manual, ...each.spec } })).toMatchObject(each.want));
});

describe('decideScale, whatever it is given', () => {
  const anyCase = fc.record({
    load: fc.record({
      inFlight: fc.nat(300),
      queued: fc.nat(1_000),
      headWaitMs: fc.nat(40_000),
      inFlightMean: fc.nat(300),
      demandMean: fc.nat(1_300),
      demandUsual: fc.nat(1_300),
      serviceMs: fc.option(fc.nat(5_000), { nil: undefined }),
      bootMs: fc.option(fc.nat(20_000), { nil: undefined }),
      activeAtMs: fc.integer({ min: 0, max: NOW_MS }),
    }),
    scaling: fc.record({
      maxInstances: fc.nat(30),
      minInstances: fc.nat(5),
      minIdleInstances: fc.nat(3),
      maxConcurrentRequests: fc.integer({ min: 1, max: 80 }),
    }),
    ready: fc.nat(30),
    booting: fc.nat(10),
    leaving: fc.nat(5),
    idleCount: fc.nat(30),
    startsRecent: fc.nat(10),
    hostRoom: fc.nat(200),
    noStartBeforeMs: fc.constantFrom(-Infinity, NOW_MS + 500),
    isWarming: fc.boolean(),
  });

  it('keeps to max_instances and the host, never starts and stops at once, and stops no more than half, rounded up', () => {
    fc.assert(
      fc.property(anyCase, ({ load, scaling: change, idleCount, ...pool }) => {
        const idleSinceMs = Array.from({ length: Math.min(idleCount, pool.ready) }, (_, index) => index);
        const decision = decide({ load, scaling: change, pool: { ...pool, idle: idle(...idleSinceMs) } });
        const max = change.maxInstances > 0 ? change.maxInstances : 200;
        const total = pool.ready + pool.booting + pool.leaving;
        expect(decision.start).toBeLessThanOrEqual(Math.max(0, max - total));
        expect(decision.start).toBeLessThanOrEqual(pool.hostRoom);
        expect(decision.start === 0 || decision.stop.length === 0).toBe(true);
        expect(decision.stop.length).toBeLessThanOrEqual(Math.ceil((pool.ready + pool.booting) / 2));
        expect(decision.recheckMs ?? 1).toBeGreaterThan(0);
        expect(Number.isFinite(decision.recheckMs ?? 1)).toBe(true);
      }),
    );
  });
});
