// Cron jobs: when one is due it becomes a task of the app's queue `__cron`, and from there on it is a task like any other,
// durable and tried again by its own rule. The task's name is the job's id, so a job never runs beside itself, whatever dies.
// Runs that were missed while the platform was down are made up for by one.
import { type CronJobView } from '../../../sdk/contract/admin/tasks.ts';
import { type CronSchedule, readCronSchedule } from '../../../sdk/contract/app-manifest/cron-schedule.ts';
import { PlatformError, toPlatformError } from '../../../sdk/contract/errors.ts';
import { type Clock, type Timers } from '../../../sdk/support/clock.ts';
import { CloseStack } from '../../../sdk/support/close-stack.ts';
import { type Log } from '../../../sdk/support/log.ts';
import { type AppRegistry } from '../../control/app-registry.ts';
import { type CronJobRecord } from '../../control/control-store.ts';
import { type RegistryState } from '../../control/registry-state.ts';
import { WakeTimer } from '../../scheduler/wake-timer.ts';
import { nextRunMs } from './next-run.ts';
import { type TaskEnd } from './push-queue.ts';
import { type JobState, type QueueStateStore, stateName } from './task-store.ts';
import { type TaskQueues } from './task-queues.ts';
import { CRON_QUEUE, type Task } from './task.ts';

interface JobEntry {
  readonly appId: string;
  readonly job: CronJobRecord;
  readonly schedule: CronSchedule;
  /** Not begun before this: while its task is there. */
  heldUntilMs: number;
  /** The next run, and what it was computed from. */
  next?: { readonly afterMs: number; readonly atMs: number | undefined };
}

/** No timer is set for longer: the wall clock may jump. */
const LOOK_AGAIN_MS_MAX = 30_000;
/** Until it is tried again to begin a run that could not be begun, or whose last one seems to be there still. */
const BEGIN_AGAIN_MS = 5_000;
const SECOND_MS = 1_000;

export class CronScheduler {
  readonly #queues: TaskQueues;
  readonly #states: QueueStateStore;
  readonly #registry: Pick<AppRegistry, 'watch'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timer: WakeTimer;
  readonly #jobStates = new Map<string, JobState>();
  readonly #closing = new CloseStack();
  #entries = new Map<string, JobEntry>();
  #isClosed = false;

  constructor(queues: TaskQueues, states: QueueStateStore, registry: Pick<AppRegistry, 'watch'>, clock: Clock, timers: Timers, log: Log) {
    this.#queues = queues;
    this.#states = states;
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
    this.#timer = new WakeTimer(clock, timers, this.#tick);
  }

  /** Goes on where the last one stopped, once the queues are known. */
  start(): void {
    this.#queues.ready.then(
      (states) => {
        if (this.#isClosed) return;
        for (const state of states) this.#jobStates.set(stateName(state), state);
        this.#closing.defer(
          this.#registry.watch((apps) => {
            this.#follow(apps);
          }),
        );
      },
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer.cancel();
    await this.#closing.close();
  }

  /** To be called, and awaited, before a cron job's task leaves its queue. */
  readonly ended = async (task: Task, end: TaskEnd): Promise<void> => {
    const { status, endedAtMs, latencyMs } = end;
    const state: JobState = {
      kind: 'job',
      appId: task.appId,
      jobId: task.name,
      lastRunAtMs: task.createdAtMs,
      endedAtMs,
      lastLatencyMs: Math.round(latencyMs),
      ...(status === undefined ? {} : { lastStatus: status }),
    };
    await this.#states.put(state);
    this.#jobStates.set(stateName(state), state);
    const entry = this.#entries.get(stateName(state));
    // Its task is there for a moment longer, which a run that is due already would meet.
    if (entry) entry.heldUntilMs = 0;
    this.#timer.within(0);
  };

  /** Throws APP_NOT_FOUND. */
  async jobs(appId: string): Promise<readonly CronJobView[]> {
    await this.#queues.queuesOf(appId);
    return [...this.#entries.values()].filter((entry) => entry.appId === appId).map((entry) => this.#viewOf(entry));
  }

  /** Runs it now, whatever its schedule says; content when it runs. Throws APP_NOT_FOUND, CRON_JOB_NOT_FOUND. */
  async runNow(appId: string, jobId: string): Promise<CronJobView> {
    await this.#queues.queuesOf(appId);
    const entry = this.#entries.get(`${appId}/${jobId}`);
    if (!entry) throw new PlatformError('CRON_JOB_NOT_FOUND', `"${jobId}" of the app "${appId}"`);
    await this.#begin(entry);
    return this.#viewOf(entry);
  }

  #follow(apps: RegistryState): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const [appId, { cron }] of apps) {
      for (const job of cron?.jobs ?? []) {
        const key = `${appId}/${job.id}`;
        const reading = readCronSchedule(job.schedule);
        if ('problem' in reading) this.#log.error('A cron job cannot be scheduled', { appId, job: job.id, problem: reading.problem });
        else this.#entries.set(key, { appId, job, schedule: reading.schedule, heldUntilMs: before.get(key)?.heldUntilMs ?? 0 });
      }
    }
    const gone = [...this.#jobStates.values()].filter((state) => !this.#entries.has(stateName(state)));
    for (const state of gone) this.#jobStates.delete(stateName(state));
    if (gone.length > 0) {
      this.#states.remove(gone).catch((error: unknown) => this.#log.warn('What is known of removed cron jobs was kept', { error }));
    }
    this.#tick();
  }

  readonly #tick = (): void => {
    if (this.#isClosed) return;
    const nowMs = this.#clock.nowMs();
    let nextMs = nowMs + LOOK_AGAIN_MS_MAX;
    for (const entry of this.#entries.values()) {
      const atMs = Math.max(this.#nextRunOf(entry) ?? Infinity, entry.heldUntilMs);
      if (atMs > nowMs) nextMs = Math.min(nextMs, atMs);
      else this.#beginDue(entry);
    }
    this.#timer.within(nextMs - nowMs);
  };

  #beginDue(entry: JobEntry): void {
    this.#begin(entry).catch((error: unknown) => {
      if (!this.#isClosed) this.#log.warn('A cron job could not be begun yet', { appId: entry.appId, job: entry.job.id, error });
    });
  }

  async #begin(entry: JobEntry): Promise<void> {
    const { appId, job } = entry;
    const nowMs = this.#clock.nowMs();
    entry.heldUntilMs = nowMs + BEGIN_AGAIN_MS;
    try {
      const run = { url: job.url, method: 'GET', headers: [], payload: new Uint8Array(), target: job.target ?? '', etaMs: nowMs };
      const deadline = job.deadlineSeconds === undefined ? {} : { deadlineMs: job.deadlineSeconds * SECOND_MS };
      await this.#queues.add({ appId, queue: CRON_QUEUE }, [{ ...run, ...deadline, name: job.id, isNamed: false, retry: job.retry }]);
    } catch (error) {
      // Its last run is not over.
      if (toPlatformError(error).code === 'TASK_EXISTS') return;
      throw error;
    }
    const state: JobState = { kind: 'job', appId, jobId: job.id, lastRunAtMs: nowMs };
    // The run may be over before this is written: then that is the news.
    if ((this.#jobStates.get(stateName(state))?.lastRunAtMs ?? 0) >= nowMs) return;
    this.#jobStates.set(stateName(state), state);
  }

  /** Undefined when it never runs again. */
  #nextRunOf(entry: JobEntry): number | undefined {
    const { job, schedule, appId } = entry;
    const state = this.#jobStates.get(`${appId}/${job.id}`);
    const lastMs = schedule.kind === 'interval' ? (state?.endedAtMs ?? state?.lastRunAtMs) : state?.lastRunAtMs;
    const afterMs = Math.max(lastMs ?? 0, job.sinceMs);
    if (entry.next?.afterMs !== afterMs) entry.next = { afterMs, atMs: nextRunMs(schedule, job.timezone, afterMs) };
    return entry.next.atMs;
  }

  #viewOf(entry: JobEntry): CronJobView {
    const { appId, job } = entry;
    const state = this.#jobStates.get(`${appId}/${job.id}`);
    const nextRunAtMs = this.#nextRunOf(entry);
    return {
      id: job.id,
      description: job.description,
      url: job.url,
      schedule: job.schedule,
      timezone: job.timezone,
      ...(job.target === undefined ? {} : { target: job.target }),
      ...(nextRunAtMs === undefined ? {} : { nextRunAtMs }),
      ...(state === undefined ? {} : { lastRunAtMs: state.lastRunAtMs }),
      ...(state?.lastStatus === undefined ? {} : { lastStatus: state.lastStatus }),
      ...(state?.lastLatencyMs === undefined ? {} : { lastLatencyMs: state.lastLatencyMs }),
    };
  }
}
