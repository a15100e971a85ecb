// A task of a push queue, as it is kept: what to ask of the app, when, and what became of it so far.
// States: waiting (in the store, due at etaMs) → running (in the store too, being sent) → done or deleted (out of the store;
// a name that the app chose stays taken for a while). A task that runs when the process dies is waiting again.
import { type RetryParameters } from '../../../sdk/contract/queue-definition.ts';

export interface QueueKey {
  readonly appId: string;
  readonly queue: string;
}

export interface Task extends QueueKey {
  readonly name: string;
  /** Whether the app chose the name, which then stays taken after the task. */
  readonly isNamed: boolean;
  /** Tells an addition whose outcome was unknown from another one with the same name. */
  readonly nonce: string;
  /** The queue's, when it was added: a purge makes it stale. */
  readonly epoch: number;
  readonly createdAtMs: number;
  /** When it is tried next. */
  readonly etaMs: number;
  /** Path and query. */
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly payload: Uint8Array;
  /** `service`, `version` or `version.service`; empty for the app's default service. */
  readonly target: string;
  /** The task's own rule, instead of its queue's. */
  readonly retry?: RetryParameters;
  readonly deadlineMs?: number;
  /** Tries that failed, also for lack of an instance. */
  readonly retries: number;
  /** Tries in which the app's handler ran, as far as is known. */
  readonly executions: number;
  readonly firstTriedAtMs?: number;
  readonly lastStatus?: number;
  readonly lastReason?: string;
}

/** Where a task stands in its queue's order: by ETA, then by name. */
export interface TaskPlace {
  readonly name: string;
  readonly etaMs: number;
  readonly epoch: number;
  readonly isNamed: boolean;
}

export function placeOf({ name, etaMs, epoch, isNamed }: Task): TaskPlace {
  return { name, etaMs, epoch, isNamed };
}

/** The store's order, in which `/` ends a name: `x-2` comes before `x`. */
export function comparePlaces(a: TaskPlace, b: TaskPlace): number {
  if (a.etaMs !== b.etaMs) return a.etaMs - b.etaMs;
  if (a.name === b.name) return 0;
  return `${a.name}/` < `${b.name}/` ? -1 : 1;
}

/** What a task counts for against taskBytesMax. */
export function taskBytes({ url, headers, payload }: Pick<Task, 'url' | 'headers' | 'payload'>): number {
  return payload.length + url.length + headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** The queue that cron jobs run in; no app can name it, and it stands in no list. */
export const CRON_QUEUE = '__cron';

export function queueId({ appId, queue }: QueueKey): string {
  return `${appId}/${queue}`;
}
