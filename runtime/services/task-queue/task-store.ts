// What the task queues remember, and the ports through which they do. Adapters: ../../backends/task-store-datastore.ts;
// twins: memory-task-store.ts; suite: tests/contract/task-store.test.ts. One process writes.
import { type QueueKey, type Task, type TaskPlace } from './task.ts';

/** Durable tasks; every change is on disk once resolved. */
export interface TaskStore {
  /** All or none. Throws TASK_EXISTS when a name is taken, by a task or by one that is done. */
  insert(tasks: readonly Task[]): Promise<void>;
  /** The task's new state; content when the task is gone, which it then stays. */
  update(task: Task): Promise<void>;
  /** Content when they are gone. Names that the app chose stay taken until `reservedUntilMs`. */
  remove(queue: QueueKey, places: readonly Pick<TaskPlace, 'name' | 'isNamed'>[], reservedUntilMs: number): Promise<void>;
  /** Those that are there, in no order. At most lookupKeysMax names. */
  find(queue: QueueKey, names: readonly string[]): Promise<readonly Task[]>;
  /** The first `limit` places after `after` in the queue's order. */
  page(queue: QueueKey, after: TaskPlace | undefined, limit: number): Promise<readonly TaskPlace[]>;
  /** Every queue that holds tasks, with their number. */
  queues(): Promise<readonly (QueueKey & { readonly tasks: number })[]>;
  /** Frees names of the app's done tasks: all that were reserved until `beforeMs`, and the oldest beyond `keep`. How many. */
  releaseNames(appId: string, beforeMs: number, keep: number): Promise<number>;
}

export interface QueueState extends QueueKey {
  readonly kind: 'queue';
  /** When it was paused by hand; absent when it is not. */
  readonly pausedAtMs?: number;
  /** Grows with each purge: tasks of an older epoch are void, even if the purge was cut off. */
  readonly epoch: number;
}

export interface JobState {
  readonly kind: 'job';
  readonly appId: string;
  readonly jobId: string;
  /** When its last run was begun. */
  readonly lastRunAtMs: number;
  /** When that run was done, tries included; absent while it is not. */
  readonly endedAtMs?: number;
  readonly lastStatus?: number;
  readonly lastLatencyMs?: number;
}

export type QueueServiceState = QueueState | JobState;

/** What names a state: unique within its kind. */
export function stateName(state: QueueServiceState): string {
  return state.kind === 'queue' ? `${state.appId}/${state.queue}` : `${state.appId}/${state.jobId}`;
}

/** What outlives the tasks: which queues are paused or purged, and when cron jobs ran. */
export interface QueueStateStore {
  load(): Promise<readonly QueueServiceState[]>;
  put(state: QueueServiceState): Promise<void>;
  remove(states: readonly QueueServiceState[]): Promise<void>;
}
