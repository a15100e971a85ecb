// One push queue at work: it decides when tasks start (dispatch-decision.ts), sends them, and does what follows from the
// outcome (retry-decision.ts). The store has every task until it is done, so whatever dies, the task is tried again.
import { PlatformError, toPlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type QueueDefinition } from '../../../sdk/contract/queue-definition.ts';
import { type Clock, sleep, type Timers } from '../../../sdk/support/clock.ts';
import { type Log } from '../../../sdk/support/log.ts';
import { WakeTimer } from '../../scheduler/wake-timer.ts';
import { decideDispatch, type TokenBucket } from './dispatch-decision.ts';
import { type DispatchSlots } from './dispatch-slots.ts';
import { MinuteCounter } from './minute-counter.ts';
import { decideRetry } from './retry-decision.ts';
import { type TaskCaller } from './task-caller.ts';
import { type TaskStore } from './task-store.ts';
import { placeOf, type QueueKey, queueId, type Task, type TaskPlace } from './task.ts';
import { taskRequest } from './task-request.ts';
import { TaskWindow } from './task-window.ts';

export interface PushQueueTools {
  readonly store: TaskStore;
  readonly caller: TaskCaller;
  readonly slots: DispatchSlots;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly domain: string;
}

export interface TaskEnd {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number;
  /** Absent when no answer came. */
  readonly status?: number;
}

export interface PushQueueOptions {
  /** Tasks that the store holds. */
  readonly tasks: number;
  readonly epoch: number;
  /** Called before a task leaves for good by its last try, and awaited. */
  readonly onEnd?: (task: Task, end: TaskEnd) => Promise<void>;
}

export interface QueueFigures {
  readonly tasks: number;
  readonly running: number;
  readonly executedLastMinute: number;
  readonly failedLastMinute: number;
}

/** A task under way, by name. */
interface RunningTask {
  /** It was deleted or purged meanwhile. */
  isDeleted: boolean;
  /** The write of its new state: a deletion must come after it. */
  writing?: Promise<unknown>;
}

/** No timer is set for longer: the wall clock may jump. */
const LOOK_AGAIN_MS_MAX = 30_000;
/** Between two tries to write what must be written. */
const STORE_RETRY_MS = 1_000;
const PURGE_BATCH = 500;
/** Until a task is tried again that could not be carried on for a reason of our own. */
const BROKEN_RETRY_MS = 30_000;

export class PushQueue {
  readonly key: QueueKey;
  readonly #tools: PushQueueTools;
  readonly #options: PushQueueOptions;
  readonly #window: TaskWindow;
  readonly #timer: WakeTimer;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, RunningTask>();
  readonly #executed = new MinuteCounter();
  readonly #failed = new MinuteCounter();
  #definition: QueueDefinition;
  #isPaused: boolean;
  #bucket: TokenBucket;
  #epoch: number;
  /** In the store, as far as is known: exact whenever the queue is at rest. */
  #tasks: number;
  #additions = 0;

  constructor(key: QueueKey, definition: QueueDefinition, isPaused: boolean, tools: PushQueueTools, options: PushQueueOptions) {
    this.key = key;
    this.#definition = definition;
    this.#isPaused = isPaused;
    this.#tools = tools;
    this.#options = options;
    this.#tasks = options.tasks;
    this.#epoch = options.epoch;
    this.#window = new TaskWindow(LIMITS.taskWindowEntriesMax, { isEmpty: options.tasks === 0 });
    this.#bucket = { tokens: definition.bucketSize, atMs: tools.clock.monotonicMs() };
    this.#timer = new WakeTimer(tools.clock, tools.timers, this.#wake);
  }

  get definition(): QueueDefinition {
    return this.#definition;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get figures(): QueueFigures {
    const nowMs = this.#tools.clock.monotonicMs();
    return {
      tasks: this.#tasks,
      running: this.#running.size,
      executedLastMinute: this.#executed.total(nowMs),
      failedLastMinute: this.#failed.total(nowMs),
    };
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  /** Gives up what is under way: it is tried again by whoever serves the queue next. */
  close(): void {
    this.#abort.abort(new PlatformError('CANCELLED'));
    this.#timer.cancel();
    this.#tools.slots.forget(this.#wake);
  }

  configure(definition: QueueDefinition, isPaused: boolean): void {
    this.#definition = definition;
    this.#isPaused = isPaused;
    this.#wake();
  }

  /** Durable once resolved, all or none. Throws QUEUE_FULL, TASK_EXISTS. */
  async add(tasks: readonly Task[]): Promise<void> {
    if (this.#tasks + tasks.length > LIMITS.queueTasksMax) {
      throw new PlatformError('QUEUE_FULL', `"${this.key.queue}" holds ${this.#tasks} tasks, at most ${LIMITS.queueTasksMax} are allowed`);
    }
    // Counted first, so that additions at the same time cannot pass the limit together.
    this.#tasks += tasks.length;
    this.#additions++;
    try {
      await this.#tools.store.insert(tasks);
    } catch (error) {
      this.#tasks -= tasks.length;
      throw error;
    } finally {
      this.#additions--;
    }
    for (const task of tasks) this.#window.add(placeOf(task));
    this.#wake();
  }

  /** Names of those that were there. One that runs is deleted too: it is not tried again. */
  async delete(names: readonly string[], reservedUntilMs: number): Promise<readonly string[]> {
    const tasks = (await this.#tools.store.find(this.key, names)).filter(({ epoch }) => epoch >= this.#epoch);
    const running = tasks.flatMap(({ name }) => this.#running.get(name) ?? []).filter(({ isDeleted }) => !isDeleted);
    for (const each of running) each.isDeleted = true;
    try {
      await Promise.all(running.map(async ({ writing }) => writing));
      await this.#tools.store.remove(this.key, tasks, reservedUntilMs);
    } catch (error) {
      for (const each of running) each.isDeleted = false;
      throw error;
    }
    for (const { name } of tasks) this.#window.remove(name);
    this.#tasks = Math.max(0, this.#tasks - tasks.length);
    this.#wake();
    return tasks.map(({ name }) => name);
  }

  /** Makes the task's ETA now. Throws TASK_NOT_FOUND. Content when it runs already. */
  async runNow(name: string): Promise<void> {
    const task = await this.find(name);
    if (this.#running.has(name)) return;
    const now = { ...task, etaMs: this.#tools.clock.nowMs() };
    await this.#tools.store.update(now);
    if (this.#running.has(name)) return;
    this.#window.remove(name);
    this.#window.add(placeOf(now));
    this.#wake();
  }

  /** Throws TASK_NOT_FOUND. */
  async find(name: string): Promise<Task> {
    const [task] = await this.#tools.store.find(this.key, [name]);
    if (task && task.epoch >= this.#epoch) return task;
    throw new PlatformError('TASK_NOT_FOUND', `"${name}" in the queue "${this.key.queue}"`);
  }

  /** The next `limit` by ETA, running ones included. */
  async list(limit: number): Promise<readonly Task[]> {
    const places = (await this.#tools.store.page(this.key, undefined, limit)).filter(({ epoch }) => epoch >= this.#epoch);
    const found = await this.#tools.store.find(
      this.key,
      places.map(({ name }) => name),
    );
    const tasks = new Map(found.map((task) => [task.name, task]));
    return places.flatMap(({ name }) => tasks.get(name) ?? []);
  }

  async oldestEtaMs(): Promise<number | undefined> {
    return (await this.#tools.store.page(this.key, undefined, 1))[0]?.etaMs;
  }

  /**
   * Makes every task that is there now void, and removes them; how many there were. `epoch` is already on disk, so a purge
   * that is cut off is completed as its tasks are met.
   */
  async purge(epoch: number, reservedUntilMs: number): Promise<number> {
    const purged = this.#tasks;
    this.#epoch = epoch;
    this.#tasks = 0;
    for (const running of this.#running.values()) running.isDeleted = true;
    await Promise.allSettled([...this.#running.values()].map(async ({ writing }) => writing));
    this.#window.clear();
    for (let after: TaskPlace | undefined; ;) {
      const page = await this.#tools.store.page(this.key, after, PURGE_BATCH);
      await this.#tools.store.remove(
        this.key,
        page.filter((place) => place.epoch < epoch),
        reservedUntilMs,
      );
      after = page.at(-1);
      if (page.length < PURGE_BATCH) break;
    }
    this.#window.restart();
    this.#wake();
    return purged;
  }

  readonly #wake = (): void => {
    if (this.#abort.signal.aborted) return;
    if (this.#window.wantsPage) this.#readPage().catch((error: unknown) => this.#tools.log.error('A page of tasks was lost', { error }));
    if (this.#window.isComplete && this.#running.size === 0 && this.#additions === 0) this.#tasks = this.#window.size;
    const { clock, slots } = this.#tools;
    const nowMs = clock.nowMs();
    const { bucketSize, concurrentRequestsMax, ratePerSecond } = this.#definition;
    const decision = decideDispatch(
      {
        ...{ ratePerSecond, bucketSize, concurrentRequestsMax, isPaused: this.#isPaused },
        running: this.#running.size,
        due: this.#window.dueCount(nowMs, bucketSize + 1),
        nextDueInMs: this.#window.nextAfterMs(nowMs) - nowMs,
        slots: slots.free,
      },
      this.#bucket,
      clock.monotonicMs(),
    );
    this.#bucket = decision.bucket;
    for (const place of this.#window.take(decision.start)) this.#begin(place);
    if (decision.wantsSlot) slots.await(this.#wake);
    if (this.#window.size > 0 || !this.#window.isComplete) this.#timer.within(Math.min(decision.lookAgainInMs, LOOK_AGAIN_MS_MAX));
  };

  #begin(place: TaskPlace): void {
    const running: RunningTask = { isDeleted: false };
    this.#running.set(place.name, running);
    this.#tools.slots.take(1);
    this.#run(place, running)
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return;
        this.#tools.log.error('A task could not be carried on', { ...this.key, name: place.name, error });
        this.#window.add(place, this.#tools.clock.nowMs() + BROKEN_RETRY_MS);
      })
      .finally(() => {
        if (this.#running.get(place.name) === running) this.#running.delete(place.name);
        this.#tools.slots.release();
        this.#wake();
      });
  }

  async #run(place: TaskPlace, running: RunningTask): Promise<void> {
    const { store, caller, clock, log, domain } = this.#tools;
    const [task] = await this.#insist('read', () => store.find(this.key, [place.name]));
    if (!task) return;
    if (task.epoch < this.#epoch) {
      await this.#remove(task);
      return;
    }
    if (task.etaMs > clock.nowMs()) {
      this.#window.add(placeOf(task));
      return;
    }
    const startedAtMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    const outcome = await caller.send(taskRequest(task, domain), { signal: this.#abort.signal });
    this.#abort.signal.throwIfAborted();
    const decision = decideRetry(task, outcome, this.#definition.retry, startedAtMs, clock.nowMs());
    if (decision.kind !== 'postponed') this.#executed.add(clock.monotonicMs());
    if (decision.kind === 'again' || decision.kind === 'given-up') this.#failed.add(clock.monotonicMs());
    // Asked anew after each wait: it may be deleted meanwhile.
    const isDeleted = (): boolean => running.isDeleted;
    if (isDeleted()) return;
    const status = 'status' in outcome ? { status: outcome.status } : {};
    const end: TaskEnd = { startedAtMs, endedAtMs: clock.nowMs(), latencyMs: clock.monotonicMs() - startedMs, ...status };
    switch (decision.kind) {
      case 'done':
        await this.#end(task, end, running);
        break;
      case 'given-up':
        log.warn('A task is given up', { ...this.key, name: task.name, reason: decision.reason, last: decision.task.lastReason });
        await this.#end(task, end, running);
        break;
      case 'again':
        running.writing = this.#insist('write', () => store.update(decision.task));
        await running.writing;
        if (!isDeleted()) this.#window.add(placeOf(decision.task));
        break;
      case 'postponed':
        this.#window.add(placeOf(task), clock.nowMs() + decision.delayMs);
        break;
    }
  }

  async #end(task: Task, end: TaskEnd, running: RunningTask): Promise<void> {
    await this.#insist('write', async () => this.#options.onEnd?.(task, end));
    await this.#remove(task);
    if (!running.isDeleted) this.#tasks = Math.max(0, this.#tasks - 1);
  }

  async #remove(task: Task): Promise<void> {
    const reservedUntilMs = this.#tools.clock.nowMs() + LIMITS.taskNameReservedMs;
    await this.#insist('write', () => this.#tools.store.remove(this.key, [task], reservedUntilMs));
  }

  async #readPage(): Promise<void> {
    const { after, limit } = this.#window.beginPage();
    let page: readonly TaskPlace[] | undefined;
    try {
      page = await this.#insist('read', () => this.#tools.store.page(this.key, after, limit));
      await this.#removeVoid(page);
    } finally {
      this.#window.endPage(page, ({ name, epoch }) => epoch < this.#epoch || this.#running.has(name));
    }
    this.#wake();
  }

  /** What a purge left that was cut off. */
  async #removeVoid(page: readonly TaskPlace[]): Promise<void> {
    const stale = page.filter(({ epoch }) => epoch < this.#epoch);
    if (stale.length === 0) return;
    const reservedUntilMs = this.#tools.clock.nowMs() + LIMITS.taskNameReservedMs;
    await this.#insist('write', () => this.#tools.store.remove(this.key, stale, reservedUntilMs));
  }

  /** The store must answer in the end: nothing is given up because it restarts. Throws CANCELLED when the queue closes. */
  async #insist<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const { code, retryable } = toPlatformError(error);
        if (!retryable && code !== 'RPC_CONNECTION_LOST') throw error;
        this.#tools.log.warn(`A queue cannot ${what} its tasks yet`, { queue: queueId(this.key), error });
      }
      await sleep(this.#tools.timers, STORE_RETRY_MS, { signal });
    }
  }
}
