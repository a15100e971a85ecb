import { type InstanceLease, type InstanceTarget } from '../../router/ports.ts';
import { MemoryInstanceHost } from '../../runtime/host/memory-instance-host.ts';
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { type Cancel } from '../../sdk/support/clock.ts';
import { type Log, type LogFields } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { InstanceCount } from './instance-count.ts';
import { ourScheduler, type ServingSource, type SimulatedPlan, type SourceFactory } from './serving-source.ts';
import { type Arrival, type Traffic } from './traffic.ts';

export interface WorldSpec {
  readonly seed: number;
  readonly traffic: Traffic;
  /** Who schedules; by default our own scheduler. */
  readonly source?: SourceFactory;
  readonly scaling?: Partial<AutomaticScaling>;
  readonly readyMs?: number;
  /** Memory for instances, of which each may use 1; absent: no bound. */
  readonly memoryBudget?: number;
  /** Mean time between deaths of a ready instance; absent: none dies. */
  readonly deathGapMs?: number;
  /** How long the world goes on after the traffic. */
  readonly afterMs?: number;
}

export interface Outcome {
  readonly arrivedMs: number;
  /** How long it waited for places in all. */
  readonly waitMs: number;
  readonly latencyMs: number;
  /** Whether it waited for an instance that was not ready when it came. */
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
  /** From each start to its end, until the traffic ends. */
  readonly instanceSeconds: number;
  /** What the scheduler decided, with the time of each. */
  readonly decisions: readonly string[];
  /** Broken promises, in words; must be empty. */
  readonly violations: readonly string[];
}

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

/** A scheduler between a traffic model and the memory host, with a router that does no more than proxy and retry. */
class World {
  readonly #spec: WorldSpec;
  readonly #scaling: AutomaticScaling;
  readonly #time = new VirtualTime(1_000_000);
  readonly #originMs = this.#time.nowMs();
  readonly #random: SeededRandom;
  readonly #log = new DecisionLog(this.#time);
  readonly #host: MemoryInstanceHost;
  readonly #source: ServingSource;
  readonly #arrivals: readonly Arrival[];
  readonly #targets = new Map<string, InstanceTarget>();
  readonly #running = new Map<string, Set<RunningRequest>>();
  readonly #dead = new Set<string>();
  readonly #alive = new Map<string, string>();
  readonly #readyAtMs = new Map<string, number>();
  readonly #count: InstanceCount;
  readonly #outcomes: Outcome[] = [];
  readonly #violations: string[] = [];
  #deaths = 0;

  constructor(spec: WorldSpec) {
    this.#spec = spec;
    this.#scaling = { ...SCALING, ...spec.scaling };
    this.#random = new SeededRandom(spec.seed);
    this.#host = new MemoryInstanceHost(this.#time, this.#time, {
      readyMs: spec.readyMs ?? 150,
      stopMs: 5,
      memoryBudgetBytes: spec.memoryBudget ?? Infinity,
    });
    this.#arrivals = spec.traffic.arrivals(this.#random);
    this.#count = new InstanceCount(this.#originMs, this.#originMs + spec.traffic.durationMs);
    const plans = new Map<string, SimulatedPlan>();
    for (const { app } of this.#arrivals) {
      if (this.#targets.has(app)) continue;
      const target = { appId: app, service: 'default', version: 'v1', deploymentId: `deployment of ${app}` };
      this.#targets.set(app, target);
      plans.set(target.deploymentId, planOf(target, this.#scaling));
    }
    const random = new SeededRandom(spec.seed + 1);
    const source = spec.source ?? ourScheduler();
    this.#source = source({ host: this.#host, plans, clock: this.#time, timers: this.#time, random, log: this.#log });
  }

  async run(): Promise<WorldReport> {
    this.#watchInstances();
    this.#source.start();
    this.#schedule(0);
    if (this.#spec.deathGapMs !== undefined) this.#scheduleDeath(this.#spec.deathGapMs);
    await this.#time.advanceAsync(this.#spec.traffic.durationMs + (this.#spec.afterMs ?? 30_000));
    this.#checkEnd();
    await this.#source.close();
    return {
      arrivals: this.#arrivals.length,
      outcomes: this.#outcomes,
      started: this.#host.started.length,
      deaths: this.#deaths,
      instancesPeak: this.#count.peak,
      instanceSeconds: this.#count.seconds(this.#time.nowMs()),
      decisions: this.#log.lines,
      violations: this.#violations,
    };
  }

  #watchInstances(): void {
    this.#host.watch({
      onReset: () => undefined,
      onChange: ({ id, state, deploymentId }) => {
        if (state === 'exited') this.#alive.delete(id);
        else this.#alive.set(id, state);
        const { ofDeployment } = this.#count.change(id, deploymentId, state !== 'exited', this.#time.nowMs());
        if (state === 'ready') this.#readyAtMs.set(id, this.#time.nowMs());
        if (ofDeployment > this.#scaling.maxInstances) this.#violations.push(`${ofDeployment} instances`);
        if (state === 'stopping' && (this.#running.get(id)?.size ?? 0) > 0) this.#violations.push(`${id} was stopped while busy`);
      },
    });
  }

  /** One timer at a time: what is set before the traffic is cheaper to look through. */
  #schedule(index: number): void {
    const arrival = this.#arrivals[index];
    if (!arrival) return;
    this.#time.after(this.#originMs + arrival.atMs - this.#time.nowMs(), () => {
      this.#schedule(index + 1);
      void this.#serve(arrival);
    });
  }

  async #serve(arrival: Arrival): Promise<void> {
    const beganMs = this.#time.nowMs();
    const target = this.#targets.get(arrival.app);
    if (!target) throw new Error(`no deployment for ${arrival.app}`);
    let waitMs = 0;
    let isCold = false;
    let error: string | undefined;
    let tries = 0;
    for (let isDone = false; !isDone && tries < TRIES_MAX;) {
      tries++;
      try {
        const lease = await this.#source.acquire(target, { signal: new AbortController().signal });
        waitMs += lease.pendingMs;
        isCold ||= (this.#readyAtMs.get(lease.instanceId) ?? 0) > beganMs;
        isDone = await this.#proxy(lease, arrival.serviceMs);
        error = isDone ? undefined : 'connection failed';
      } catch (thrown) {
        error = thrown instanceof Error ? thrown.message : String(thrown);
        isDone = true;
      }
    }
    const latencyMs = this.#time.nowMs() - beganMs;
    this.#outcomes.push({ arrivedMs: arrival.atMs, waitMs, latencyMs, isCold, tries, ...(error === undefined ? {} : { error }) });
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

  #checkEnd(): void {
    const { length } = this.#arrivals;
    if (this.#outcomes.length !== length) this.#violations.push(`${length} requests, ${this.#outcomes.length} outcomes`);
    const open = this.#source.openRequests();
    if (open !== 0) this.#violations.push(`${open} requests are counted as open at the end`);
  }
}

function planOf(target: InstanceTarget, scaling: AutomaticScaling): SimulatedPlan {
  const limits = { memoryBytesMax: 1, pidsMax: 1, tmpBytesMax: 1, cpuWeight: 1, readyMsMax: 30_000 };
  const spec = { ...target, codeDirectory: '/code', command: ['node', 'app.js'], environment: {}, ...limits };
  return { spec, scaling, warmup: false };
}

export function runWorld(spec: WorldSpec): Promise<WorldReport> {
  return new World(spec).run();
}
