// Task queues over twins, in virtual time: for tests and simulations.
import { DEFAULT_QUEUE, type QueueDefinition } from '../../../sdk/contract/queue-definition.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../../sdk/support/virtual-time.ts';
import { type CronJobRecord, type ControlRecord } from '../../control/control-store.ts';
import { type RegistryState, stateOf } from '../../control/registry-state.ts';
import { appRecord } from '../../control/sample-records.ts';
import { CronScheduler } from './cron-scheduler.ts';
import { MemoryQueueStateStore, MemoryTaskStore } from './memory-task-store.ts';
import { ScriptedTaskCaller } from './task-caller.ts';
import { TaskQueues } from './task-queues.ts';

export class SampleQueues {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly log = new MemoryLog();
  readonly tasks = new MemoryTaskStore();
  readonly states = new MemoryQueueStateStore();
  readonly caller = new ScriptedTaskCaller();
  readonly #records = new Map<string, ControlRecord>();
  readonly #listeners = new Set<(state: RegistryState) => void>();
  queues: TaskQueues;
  cron: CronScheduler;

  constructor(options: { readonly seed?: number; readonly startMs?: number } = {}) {
    this.time = new VirtualTime(options.startMs ?? Date.UTC(2026, 0, 1));
    this.random = new SeededRandom(options.seed ?? 1);
    this.setApp('shop');
    [this.queues, this.cron] = this.#begin();
  }

  /** A new process over the same store. */
  start(): void {
    [this.queues, this.cron] = this.#begin();
  }

  #begin(): [TaskQueues, CronScheduler] {
    const registry = {
      watch: (onState: (state: RegistryState) => void) => {
        this.#listeners.add(onState);
        onState(stateOf(this.#records.values()));
        return () => this.#listeners.delete(onState);
      },
    };
    const ports = { tasks: this.tasks, states: this.states, caller: this.caller, registry };
    const queues = new TaskQueues(ports, this.time, this.time, this.random, this.log, { domain: 'localhost' });
    const cron = new CronScheduler(queues, this.states, registry, this.time, this.time, this.log);
    queues.start({ onCronEnd: cron.ended });
    cron.start();
    return [queues, cron];
  }

  /** As kill -9: what was under way is not carried on. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    await this.cron.close();
    await this.queues.close();
  }

  setApp(appId: string): void {
    this.#records.set(`app ${appId}`, appRecord(appId));
    this.#tell();
  }

  deleteApp(appId: string): void {
    for (const kind of ['app', 'queues', 'cron']) this.#records.delete(`${kind} ${appId}`);
    this.#tell();
  }

  setQueues(queues: readonly Partial<QueueDefinition>[], resumePaused = true): void {
    const complete = queues.map((each) => ({ ...DEFAULT_QUEUE, ...each }));
    const changedAtMs = this.time.nowMs();
    this.#records.set('queues shop', { kind: 'queues', appId: 'shop', queues: complete, resumePaused, changedAtMs });
    this.#tell();
  }

  setCron(jobs: readonly Partial<CronJobRecord>[]): void {
    const sinceMs = this.time.nowMs();
    const retry = { ...DEFAULT_QUEUE.retry, retryLimit: 0 };
    const complete = jobs.map((job) => ({
      ...{ id: 'job', description: '', url: '/tick', schedule: 'every 10 minutes', timezone: 'UTC', retry, sinceMs },
      ...job,
    }));
    this.#records.set('cron shop', { kind: 'cron', appId: 'shop', jobs: complete, changedAtMs: sinceMs });
    this.#tell();
  }

  /** Lets time pass, and then everything come to rest that follows without time. */
  async pass(ms: number): Promise<void> {
    await this.time.advanceAsync(ms);
    await new Promise((resolve) => setImmediate(resolve));
    await this.time.advanceAsync(0);
  }

  #tell(): void {
    const state = stateOf(this.#records.values());
    for (const listener of this.#listeners) listener(state);
  }
}
