// The push queues of all apps: which there are (from queue.yaml, through the control records), which are paused, and what
// the service and the console ask of them. One PushQueue for each queue that is used.
// Read next: push-queue.ts (one queue at work), cron-scheduler.ts (who fills the queue of cron jobs).
import { PlatformError, toPlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { DEFAULT_QUEUE, DEFAULT_QUEUE_NAME, DEFAULT_RETRY, type QueueDefinition } from '../../../sdk/contract/queue-definition.ts';
import { type Clock, type Random, sleep, type Timers } from '../../../sdk/support/clock.ts';
import { CloseStack } from '../../../sdk/support/close-stack.ts';
import { type Log } from '../../../sdk/support/log.ts';
import { type AppRegistry } from '../../control/app-registry.ts';
import { type AppState, type RegistryState } from '../../control/registry-state.ts';
import { DispatchSlots } from './dispatch-slots.ts';
import { PushQueue, type TaskEnd } from './push-queue.ts';
import { type TaskCaller } from './task-caller.ts';
import { type JobState, type QueueState, type QueueStateStore, type TaskStore } from './task-store.ts';
import { CRON_QUEUE, type QueueKey, queueId, type Task } from './task.ts';

export interface TaskQueuesPorts {
  readonly tasks: TaskStore;
  readonly states: QueueStateStore;
  readonly caller: TaskCaller;
  readonly registry: Pick<AppRegistry, 'watch'>;
}

/** What an addition says of a task; the rest is the queues'. */
export type NewTask = Pick<Task, 'url' | 'method' | 'headers' | 'payload' | 'target' | 'etaMs'> &
  Partial<Pick<Task, 'name' | 'isNamed' | 'retry' | 'deadlineMs'>>;

/** Called, and awaited, before a task of the queue of cron jobs leaves for good. */
export type CronEndListener = (task: Task, end: TaskEnd) => Promise<void>;

const LOAD_RETRY_MS = 500;
const SWEEP_MS = 60_000;
const SWEEPS_PER_HOUR = 60;
const NAME_BYTES = 12;
const NONCE_BYTES = 12;

/** Cron jobs are as many as they are: only the platform's places bound them. */
const CRON_DEFINITION: QueueDefinition = Object.freeze({
  ...DEFAULT_QUEUE,
  name: CRON_QUEUE,
  rate: `${LIMITS.queueRatePerSecondMax}/s`,
  ratePerSecond: LIMITS.queueRatePerSecondMax,
  bucketSize: LIMITS.queueBucketSizeMax,
  concurrentRequestsMax: LIMITS.cronJobsPerAppMax,
  retry: DEFAULT_RETRY,
});

export class TaskQueues {
  readonly #ports: TaskQueuesPorts;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #log: Log;
  readonly #domain: string;
  readonly #slots = new DispatchSlots(LIMITS.taskDispatchesInFlightMax);
  readonly #queues = new Map<string, PushQueue>();
  readonly #states = new Map<string, QueueState>();
  /** Deleted apps whose tasks are being removed. */
  readonly #dropping = new Set<string>();
  readonly #closing = new CloseStack();
  readonly #abort = new AbortController();
  #apps: RegistryState = new Map();
  #ready: Promise<readonly JobState[]> = Promise.resolve([]);
  #onCronEnd: CronEndListener | undefined;
  #sweeps = 0;

  constructor(ports: TaskQueuesPorts, clock: Clock, timers: Timers, random: Random, log: Log, options: { readonly domain: string }) {
    this.#ports = ports;
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
    this.#log = log;
    this.#domain = options.domain;
  }

  /** Reads what is there, in the background: calls wait for it. */
  start(options: { readonly onCronEnd?: CronEndListener } = {}): void {
    this.#onCronEnd = options.onCronEnd;
    this.#ready = this.#load();
    this.#ready.catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#log.error('The task queues could not be read; no task runs', { error });
    });
  }

  async close(): Promise<void> {
    this.#abort.abort(new PlatformError('CANCELLED'));
    await this.#closing.close();
    for (const queue of this.#queues.values()) queue.close();
  }

  /** Resolves once the queues are known, with what was stored of cron jobs. */
  get ready(): Promise<readonly JobState[]> {
    return this.#ready;
  }

  /** All or none, durable once resolved; the tasks as they are. Throws QUEUE_NOT_FOUND, QUEUE_FULL, TASK_EXISTS. */
  async add(key: QueueKey, tasks: readonly NewTask[]): Promise<readonly Task[]> {
    await this.#ready;
    const queue = this.#open(key);
    const createdAtMs = this.#clock.nowMs();
    const complete = tasks.map((task): Task => ({
      ...key,
      ...task,
      name: task.name ?? this.#random.bytes(NAME_BYTES).toString('hex'),
      isNamed: task.isNamed ?? task.name !== undefined,
      nonce: this.#random.bytes(NONCE_BYTES).toString('base64url'),
      epoch: queue.epoch,
      createdAtMs,
      target: task.target === '' ? (queue.definition.target ?? '') : task.target,
      retries: 0,
      executions: 0,
    }));
    await queue.add(complete);
    return complete;
  }

  /** A queue that the app has, or that still holds its tasks. Throws APP_NOT_FOUND, QUEUE_NOT_FOUND. */
  async queue(key: QueueKey): Promise<PushQueue> {
    await this.#ready;
    return this.#queues.get(queueId(key)) ?? this.#open(key);
  }

  /** Every queue of the app but that of cron jobs: its own, the default one, and removed ones that hold tasks. Throws APP_NOT_FOUND. */
  async queuesOf(appId: string): Promise<readonly PushQueue[]> {
    await this.#ready;
    const app = this.#app(appId);
    const names = new Set([DEFAULT_QUEUE_NAME, ...(app.queues?.queues ?? []).map(({ name }) => name)]);
    for (const { key, figures } of this.#queues.values()) if (key.appId === appId && figures.tasks > 0) names.add(key.queue);
    names.delete(CRON_QUEUE);
    return [...names].map((queue) => this.#queues.get(queueId({ appId, queue })) ?? this.#open({ appId, queue }));
  }

  /** Of queues that are in use: what waits, without asking the store. */
  depths(): readonly (QueueKey & { readonly tasks: number; readonly running: number })[] {
    return [...this.#queues.values()].map(({ key, figures: { tasks, running } }) => ({ ...key, tasks, running }));
  }

  async pause(key: QueueKey, isPaused: boolean): Promise<PushQueue> {
    const queue = await this.queue(key);
    await this.#put({ ...this.#stateOf(key), ...(isPaused ? { pausedAtMs: this.#clock.nowMs() } : {}) }, isPaused);
    this.#configure(queue);
    return queue;
  }

  /** How many tasks there were. */
  async purge(key: QueueKey): Promise<number> {
    return this.#purge(await this.queue(key));
  }

  nameReservedUntilMs(): number {
    return this.#clock.nowMs() + LIMITS.taskNameReservedMs;
  }

  async #purge(queue: PushQueue): Promise<number> {
    const epoch = queue.epoch + 1;
    const state = this.#stateOf(queue.key);
    await this.#put({ ...state, epoch }, state.pausedAtMs !== undefined);
    return queue.purge(epoch, this.nameReservedUntilMs());
  }

  async #load(): Promise<readonly JobState[]> {
    const states = await this.#insist(() => this.#ports.states.load());
    for (const state of states) if (state.kind === 'queue') this.#states.set(queueId(state), state);
    const queues = await this.#insist(() => this.#ports.tasks.queues());
    // Before the apps are looked at: the tasks of one that is gone go too. Its queue runs once its definition is known.
    for (const { tasks, ...key } of queues) this.#create(key, tasks);
    this.#closing.defer(
      this.#ports.registry.watch((apps) => {
        this.#follow(apps);
      }),
    );
    this.#closing.defer(
      this.#timers.every(SWEEP_MS, () => {
        this.#sweep().catch((error: unknown) => this.#log.warn('Names of done tasks could not be freed', { error }));
      }),
    );
    return states.filter((state) => state.kind === 'job');
  }

  #follow(apps: RegistryState): void {
    this.#apps = apps;
    for (const queue of this.#queues.values()) if (apps.has(queue.key.appId)) this.#configure(queue);
    this.#dropAppsThatAreGone();
  }

  #dropAppsThatAreGone(): void {
    const known = new Set(
      [...this.#queues.values(), ...this.#states.values()].map((each) => ('key' in each ? each.key.appId : each.appId)),
    );
    for (const appId of known) {
      if (this.#apps.has(appId) || this.#dropping.has(appId)) continue;
      this.#dropping.add(appId);
      const dropped = this.#drop(appId).finally(() => this.#dropping.delete(appId));
      dropped.catch((error: unknown) => {
        if (!this.#abort.signal.aborted)
          this.#log.warn('Tasks of a deleted app are still there; the next start drops them', { appId, error });
      });
    }
  }

  async #drop(appId: string): Promise<void> {
    const queues = [...this.#queues.values()].filter(({ key }) => key.appId === appId);
    const states = [...this.#states.values()].filter((state) => state.appId === appId);
    for (const queue of queues) {
      queue.close();
      this.#queues.delete(queueId(queue.key));
    }
    for (const state of states) this.#states.delete(queueId(state));
    // Should the app be made anew at this moment, its tasks are of the next epoch and stay.
    for (const { key, epoch } of queues) this.#states.set(queueId(key), { kind: 'queue', ...key, epoch: epoch + 1 });
    for (const queue of queues) await this.#insist(() => queue.purge(queue.epoch + 1, 0));
    await this.#insist(() => this.#ports.tasks.releaseNames(appId, this.#clock.nowMs(), 0));
    await this.#insist(() => this.#ports.states.remove(states));
    if (!this.#apps.has(appId)) for (const { key } of queues) this.#states.delete(queueId(key));
  }

  /** Apps that use queues each time, all of them once an hour. */
  async #sweep(): Promise<void> {
    const isForAll = this.#sweeps++ % SWEEPS_PER_HOUR === 0;
    const used = new Set([...this.#queues.values()].map(({ key }) => key.appId));
    for (const appId of isForAll ? this.#apps.keys() : used) {
      if (this.#abort.signal.aborted) return;
      await this.#ports.tasks.releaseNames(appId, this.#clock.nowMs(), LIMITS.taskNamesReservedMax);
    }
  }

  #configure(queue: PushQueue): void {
    const definition = this.#definitionOf(queue.key);
    queue.configure(definition ?? queue.definition, definition === undefined || this.#isPaused(queue.key));
  }

  /** The queue as an app may use it. */
  #open(key: QueueKey): PushQueue {
    if (!this.#definitionOf(key)) {
      this.#app(key.appId);
      throw new PlatformError('QUEUE_NOT_FOUND', `"${key.queue}"`);
    }
    return this.#queues.get(queueId(key)) ?? this.#create(key, 0);
  }

  #create(key: QueueKey, tasks: number): PushQueue {
    const { tasks: store, caller } = this.#ports;
    const definition = this.#definitionOf(key);
    const queue = new PushQueue(
      key,
      definition ?? { ...DEFAULT_QUEUE, name: key.queue },
      definition === undefined || this.#isPaused(key),
      { store, caller, slots: this.#slots, clock: this.#clock, timers: this.#timers, log: this.#log, domain: this.#domain },
      {
        tasks,
        epoch: this.#states.get(queueId(key))?.epoch ?? 0,
        ...(key.queue === CRON_QUEUE && this.#onCronEnd ? { onEnd: this.#onCronEnd } : {}),
      },
    );
    this.#queues.set(queueId(key), queue);
    return queue;
  }

  /** Undefined when the app, or the queue, is not there: then its tasks stay until they are purged (App Engine). */
  #definitionOf({ appId, queue }: QueueKey): QueueDefinition | undefined {
    const app = this.#apps.get(appId);
    if (!app) return undefined;
    if (queue === CRON_QUEUE) return CRON_DEFINITION;
    return app.queues?.queues.find(({ name }) => name === queue) ?? (queue === DEFAULT_QUEUE_NAME ? DEFAULT_QUEUE : undefined);
  }

  /** Paused by hand, and not resumed by a deploy since. */
  #isPaused(key: QueueKey): boolean {
    const pausedAtMs = this.#states.get(queueId(key))?.pausedAtMs;
    const settings = this.#apps.get(key.appId)?.queues;
    if (pausedAtMs === undefined) return false;
    return !(settings?.resumePaused && settings.changedAtMs > pausedAtMs);
  }

  #app(appId: string): AppState {
    const app = this.#apps.get(appId);
    if (!app) throw new PlatformError('APP_NOT_FOUND', `"${appId}"`);
    return app;
  }

  #stateOf(key: QueueKey): QueueState {
    return this.#states.get(queueId(key)) ?? { kind: 'queue', appId: key.appId, queue: key.queue, epoch: 0 };
  }

  async #put({ pausedAtMs, ...rest }: QueueState, isPaused: boolean): Promise<void> {
    const state: QueueState = isPaused && pausedAtMs !== undefined ? { ...rest, pausedAtMs } : rest;
    await this.#ports.states.put(state);
    this.#states.set(queueId(state), state);
  }

  async #insist<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const { code, retryable } = toPlatformError(error);
        if (!retryable && code !== 'RPC_CONNECTION_LOST') throw error;
      }
      await sleep(this.#timers, LOAD_RETRY_MS, { signal });
    }
  }
}
