import { type InstanceLease } from '../../router/ports.ts';
import { type LaunchPlan } from '../../runtime/scheduler/launch-plan.ts';
import { Scheduler, type SchedulerOptions } from '../../runtime/scheduler/scheduler.ts';
import { MemoryInstanceHost } from '../../runtime/host/memory-instance-host.ts';
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { type Cancel } from '../../sdk/support/clock.ts';
import { type Log, type LogFields } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type Arrival, type Traffic } from './traffic.ts';

export interface WorldSpec {
  readonly seed: number;
  readonly traffic: Traffic;
  readonly scaling?: Partial<AutomaticScaling>;
  readonly readyMs?: number;
  readonly options?: SchedulerOptions;
  /** Mean time between deaths of a ready instance; absent: none dies. */
  readonly deathGapMs?: number;
  /** How long the world goes on after the traffic. */
  readonly afterMs?: number;
}

export interface Outcome {
  readonly arrivedMs: number;
  readonly waitMs: number;
  readonly latencyMs: number;
  readonly isCold: boolean;
  readonly tries: number;
  /** Absent when it was answered. */
  readonly error?: string;
}

export interface WorldReport {
  readonly arrivals: number;
  readonly outcomes: readonly Outcome[];
  readonly started: number;
  readonly deaths: number;
  readonly instancesPeak: number;
  readonly instanceSeconds: number;
  /** What the scheduler decided, with the time of each. */
  readonly decisions: readonly string[];
  /** Broken promises, in words; must be empty. */
  readonly violations: readonly string[];
}

const DEPLOYMENT_ID = 'd1';
const TARGET = { appId: 'simulated', service: 'default', version: 'v1', deploymentId: DEPLOYMENT_ID };
const TRIES_MAX = 4;
/** A dead process's sockets break at once; the host hears of it this much later. */
const DEATH_NEWS_MS = 3;

export const SCALING: AutomaticScaling = {
  kind: 'automatic',
  minInstances: 0,
  maxInstances: 20,
  minIdleInstances: 0,
  maxConcurrentRequests: 10,
  targetThroughputUtilization: 0.6,
  targetCpuUtilization: 0.6,
};

class DecisionLog implements Log {
  readonly lines: string[];
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, lines: string[] = []) {
    this.#time = time;
    this.lines = lines;
  }

  debug = (message: string, fields: LogFields = {}): void =>
    void this.lines.push(`${this.#time.nowMs()} ${message} ${JSON.stringify(fields)}`);
  info = this.debug;
  warn = this.debug;
  error = this.debug;
  child = (): Log => new DecisionLog(this.#time, this.lines);
}

interface RunningRequest {
  readonly lease: InstanceLease;
  readonly cancel: Cancel;
  readonly breakOff: () => void;
}

/** The real scheduler between a traffic model and the memory host, with a router that does no more than proxy and retry. */
class World {
  readonly #spec: WorldSpec;
  readonly #scaling: AutomaticScaling;
  readonly #time = new VirtualTime(1_000_000);
  readonly #random: SeededRandom;
  readonly #log = new DecisionLog(this.#time);
  readonly #host: MemoryInstanceHost;
  readonly #scheduler: Scheduler;
  readonly #running = new Map<string, Set<RunningRequest>>();
  readonly #dead = new Set<string>();
  readonly #alive = new Map<string, string>();
  readonly #outcomes: Outcome[] = [];
  readonly #violations: string[] = [];
  #deaths = 0;
  #instancesPeak = 0;
  #instanceMs = 0;
  #countedAtMs = this.#time.nowMs();

  constructor(spec: WorldSpec) {
    this.#spec = spec;
    this.#scaling = { ...SCALING, ...spec.scaling };
    this.#random = new SeededRandom(spec.seed);
    this.#host = new MemoryInstanceHost(this.#time, this.#time, { readyMs: spec.readyMs ?? 150, stopMs: 5 });
    const plan: LaunchPlan = {
      spec: {
        ...TARGET,
        codeDirectory: '/code',
        command: ['node', 'app.js'],
        environment: {},
        memoryBytesMax: 1,
        pidsMax: 1,
        tmpBytesMax: 1,
        cpuWeight: 1,
        readyMsMax: 30_000,
      },
      scaling: this.#scaling,
      warmup: false,
    };
    const random = new SeededRandom(spec.seed + 1);
    this.#scheduler = new Scheduler(this.#host, { planOf: () => plan }, this.#time, this.#time, random, this.#log, spec.options);
  }

  async run(): Promise<WorldReport> {
    this.#watchInstances();
    this.#scheduler.start();
    this.#scheduler.setServing(new Set([DEPLOYMENT_ID]));
    const arrivals = this.#spec.traffic.arrivals(this.#random);
    this.#schedule(arrivals, 0, this.#time.nowMs());
    if (this.#spec.deathGapMs !== undefined) this.#scheduleDeath(this.#spec.deathGapMs);
    await this.#time.advanceAsync(this.#spec.traffic.durationMs + (this.#spec.afterMs ?? 30_000));
    this.#checkEnd(arrivals.length);
    await this.#scheduler.close();
    return {
      arrivals: arrivals.length,
      outcomes: this.#outcomes,
      started: this.#host.started.length,
      deaths: this.#deaths,
      instancesPeak: this.#instancesPeak,
      instanceSeconds: this.#instanceMs / 1_000,
      decisions: this.#log.lines,
      violations: this.#violations,
    };
  }

  #watchInstances(): void {
    this.#host.watch({
      onReset: () => undefined,
      onChange: ({ id, state }) => {
        this.#count();
        if (state === 'exited') this.#alive.delete(id);
        else this.#alive.set(id, state);
        if (this.#alive.size > this.#scaling.maxInstances) this.#violations.push(`${this.#alive.size} instances`);
        if (state === 'stopping' && (this.#running.get(id)?.size ?? 0) > 0) this.#violations.push(`${id} was stopped while busy`);
      },
    });
  }

  #count(): void {
    const nowMs = this.#time.nowMs();
    this.#instanceMs += this.#alive.size * (nowMs - this.#countedAtMs);
    this.#countedAtMs = nowMs;
    this.#instancesPeak = Math.max(this.#instancesPeak, this.#alive.size);
  }

  /** One timer at a time, because virtual time looks through all of them. */
  #schedule(arrivals: readonly Arrival[], index: number, originMs: number): void {
    const arrival = arrivals[index];
    if (!arrival) return;
    this.#time.after(originMs + arrival.atMs - this.#time.nowMs(), () => {
      this.#schedule(arrivals, index + 1, originMs);
      void this.#serve(arrival, arrival.atMs);
    });
  }

  async #serve(arrival: Arrival, arrivedMs: number): Promise<void> {
    const beganMs = this.#time.nowMs();
    let waitMs = 0;
    let isCold = false;
    let error: string | undefined;
    let tries = 0;
    for (let isDone = false; !isDone && tries < TRIES_MAX;) {
      tries++;
      try {
        const lease = await this.#scheduler.acquire(TARGET, { signal: new AbortController().signal });
        waitMs += lease.pendingMs;
        isCold ||= lease.isLoadingRequest;
        isDone = await this.#proxy(lease, arrival.serviceMs);
        error = isDone ? undefined : 'connection failed';
      } catch (thrown) {
        error = thrown instanceof Error ? thrown.message : String(thrown);
        isDone = true;
      }
    }
    const latencyMs = this.#time.nowMs() - beganMs;
    this.#outcomes.push({ arrivedMs, waitMs, latencyMs, isCold, tries, ...(error === undefined ? {} : { error }) });
  }

  /** Resolves true when the instance answered, false when the connection broke. */
  #proxy(lease: InstanceLease, serviceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const running = this.#running.get(lease.instanceId) ?? new Set();
      this.#running.set(lease.instanceId, running);
      const end = (isAnswered: boolean): void => {
        running.delete(request);
        request.cancel();
        lease.release(isAnswered ? 'answered' : 'failed');
        resolve(isAnswered);
      };
      const isDead = this.#dead.has(lease.instanceId);
      const cancel = this.#time.after(isDead ? 0 : serviceMs, () => {
        end(!isDead);
      });
      const request: RunningRequest = { lease, cancel, breakOff: () => end(false) };
      running.add(request);
      if (running.size > this.#scaling.maxConcurrentRequests) this.#violations.push(`${running.size} requests on ${lease.instanceId}`);
      if (!isDead && this.#alive.get(lease.instanceId) !== 'ready')
        this.#violations.push(`a request on ${lease.instanceId}, which is not ready`);
    });
  }

  #scheduleDeath(gapMs: number): void {
    this.#time.after(-Math.log(1 - this.#random.fraction()) * gapMs, () => {
      this.#scheduleDeath(gapMs);
      const ready = [...this.#alive].filter(([id, state]) => state === 'ready' && !this.#dead.has(id));
      const victim = ready[Math.floor(this.#random.fraction() * ready.length)];
      if (victim) this.#die(victim[0]);
    });
  }

  #die(id: string): void {
    this.#deaths++;
    this.#dead.add(id);
    for (const request of [...(this.#running.get(id) ?? [])]) request.breakOff();
    this.#time.after(DEATH_NEWS_MS, () => {
      this.#host.kill(id);
    });
  }

  #checkEnd(arrivals: number): void {
    this.#count();
    if (this.#outcomes.length !== arrivals) this.#violations.push(`${arrivals} requests, ${this.#outcomes.length} outcomes`);
    for (const pool of this.#scheduler.view().pools) {
      if (pool.inFlight !== 0 || pool.queued !== 0)
        this.#violations.push(`${pool.inFlight} in flight and ${pool.queued} queued at the end`);
      for (const { id, inFlight } of pool.instances) if (inFlight !== 0) this.#violations.push(`${inFlight} in flight on ${id} at the end`);
    }
  }
}

export function runWorld(spec: WorldSpec): Promise<WorldReport> {
  return new World(spec).run();
}

/** The `share` quantile (0 … 1) by nearest rank; 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0;
}

/** From `fromMs` to the end of the last window in which the 99th percentile of latency was above `latencyMsMax`. */
export function settlingMs(outcomes: readonly Outcome[], fromMs: number, latencyMsMax: number, windowMs = 250): number {
  const windows = new Map<number, number[]>();
  for (const { arrivedMs, latencyMs } of outcomes) {
    const window = Math.floor((arrivedMs - fromMs) / windowMs);
    windows.set(window, [...(windows.get(window) ?? []), latencyMs]);
  }
  const late = [...windows].filter(([, latencies]) => quantile(latencies, 0.99) > latencyMsMax).map(([window]) => window);
  return late.length === 0 ? 0 : (Math.max(...late) + 1) * windowMs;
}

export function summary(spec: WorldSpec, report: WorldReport): string {
  const waits = report.outcomes.map(({ waitMs }) => waitMs);
  const cold = report.outcomes.filter(({ isCold }) => isCold).length;
  const failed = report.outcomes.filter(({ error }) => error !== undefined).length;
  return [
    `${spec.traffic.name.padEnd(20)} seed ${spec.seed}:`,
    `${report.arrivals} requests, ${failed} failed,`,
    `${report.started} starts (${cold} cold requests), ${report.deaths} deaths,`,
    `wait p50 ${quantile(waits, 0.5).toFixed(0)} ms p99 ${quantile(waits, 0.99).toFixed(0)} ms,`,
    `peak ${report.instancesPeak} instances, ${report.instanceSeconds.toFixed(0)} instance-seconds`,
  ].join(' ');
}
