// The payloads of the service `taskqueue` on an instance's API socket (App Engine: taskqueue; push queues).

export const TASK_QUEUE_SERVICE = 'taskqueue';

export const TASK_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'] as const;
export type TaskMethod = (typeof TASK_METHODS)[number];

/** Replaces the queue's retry_parameters for one task; what is absent has App Engine's default. */
export interface TaskRetryOptions {
  readonly retryLimit?: number;
  readonly ageLimitSeconds?: number;
  readonly minBackoffSeconds?: number;
  readonly maxBackoffSeconds?: number;
  readonly maxDoublings?: number;
}

export interface WireTask {
  /** 1 to 500 letters, digits, `_` and `-`; absent: a name of its own. */
  readonly name?: string;
  /** Path and query; absent: `/_ah/queue/QUEUE`. */
  readonly url?: string;
  /** Absent: POST. */
  readonly method?: TaskMethod;
  readonly headers?: readonly (readonly [string, string])[];
  /** For POST and PUT. */
  readonly payload?: Uint8Array;
  /** When it is due, milliseconds since 1970; at most one of `etaMs` and `countdownMs`; absent: now. */
  readonly etaMs?: number;
  readonly countdownMs?: number;
  /** `service`, `version` or `version.service`; absent: the queue's, else the version that calls. */
  readonly target?: string;
  readonly retry?: TaskRetryOptions;
  readonly deadlineMs?: number;
}

export interface AddTasksRequest {
  readonly queue: string;
  /** 1 to tasksPerAddMax; all are added, or none. */
  readonly tasks: readonly WireTask[];
}

export interface AddTasksResponse {
  /** In the order of the request. */
  readonly tasks: readonly { readonly name: string; readonly etaMs: number }[];
}

export interface DeleteTasksRequest {
  readonly queue: string;
  readonly names: readonly string[];
}

export interface DeleteTasksResponse {
  /** Those that were there. */
  readonly deleted: readonly string[];
}

export interface PurgeQueueRequest {
  readonly queue: string;
}

export interface PurgeQueueResponse {
  readonly purged: number;
}

export interface QueueStatsRequest {
  readonly queue: string;
}

export interface QueueStatsResponse {
  readonly tasks: number;
  readonly running: number;
  /** Absent when the queue is empty. */
  readonly oldestEtaMs?: number;
  readonly executedLastMinute: number;
}
