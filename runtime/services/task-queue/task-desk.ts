// Push queues and cron jobs as their owner sees them: the port of the console's pages and of the command line.
import { type TasksApi } from '../../../admin-console/ports.ts';
import { type CronJobView, type QueueView, type TaskView } from '../../../sdk/contract/admin/tasks.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type CronScheduler } from './cron-scheduler.ts';
import { type PushQueue } from './push-queue.ts';
import { type TaskQueues } from './task-queues.ts';
import { type Task, taskBytes } from './task.ts';

export class TaskDesk implements TasksApi {
  readonly #queues: TaskQueues;
  readonly #cron: CronScheduler;

  constructor(queues: TaskQueues, cron: CronScheduler) {
    this.#queues = queues;
    this.#cron = cron;
  }

  async queues(appId: string): Promise<readonly QueueView[]> {
    return Promise.all((await this.#queues.queuesOf(appId)).map(queueView));
  }

  async tasks(appId: string, queue: string, limit: number): Promise<readonly TaskView[]> {
    const found = await this.#queues.queue({ appId, queue });
    return (await found.list(limit)).map((task) => taskView(task, found.isRunning(task.name)));
  }

  async pause(appId: string, queue: string, isPaused: boolean): Promise<QueueView> {
    return queueView(await this.#queues.pause({ appId, queue }, isPaused));
  }

  purge(appId: string, queue: string): Promise<number> {
    return this.#queues.purge({ appId, queue });
  }

  async runTask(appId: string, queue: string, task: string): Promise<void> {
    await (await this.#queues.queue({ appId, queue })).runNow(task);
  }

  async deleteTask(appId: string, queue: string, task: string): Promise<void> {
    const found = await this.#queues.queue({ appId, queue });
    const deleted = await found.delete([task], this.#queues.nameReservedUntilMs());
    if (deleted.length === 0) throw new PlatformError('TASK_NOT_FOUND', `"${task}" in the queue "${queue}"`);
  }

  cronJobs(appId: string): Promise<readonly CronJobView[]> {
    return this.#cron.jobs(appId);
  }

  runCronJob(appId: string, jobId: string): Promise<CronJobView> {
    return this.#cron.runNow(appId, jobId);
  }
}

async function queueView(queue: PushQueue): Promise<QueueView> {
  const { definition, isPaused, figures, key } = queue;
  const oldestEtaMs = figures.tasks > 0 ? await queue.oldestEtaMs() : undefined;
  return {
    name: key.queue,
    rate: definition.rate,
    bucketSize: definition.bucketSize,
    concurrentRequestsMax: definition.concurrentRequestsMax,
    isPaused,
    ...figures,
    ...(oldestEtaMs === undefined ? {} : { oldestEtaMs }),
  };
}

function taskView(task: Task, isRunning: boolean): TaskView {
  const { name, method, url, etaMs, createdAtMs, retries, lastStatus } = task;
  return {
    ...{ name, method, url, etaMs, createdAtMs, retries },
    state: isRunning ? 'running' : 'waiting',
    bytes: taskBytes(task),
    ...(lastStatus === undefined ? {} : { lastStatus }),
  };
}
