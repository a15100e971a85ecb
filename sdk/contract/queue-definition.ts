// A push queue as queue.yaml declares it, and the rule by which its tasks are tried again.

export interface RetryParameters {
  /** Tries after the first; absent: no limit. */
  readonly retryLimit?: number;
  /** Counted from the first try; absent: no limit. */
  readonly ageLimitSeconds?: number;
  readonly minBackoffSeconds: number;
  readonly maxBackoffSeconds: number;
  readonly maxDoublings: number;
}

export interface QueueDefinition {
  readonly name: string;
  /** As written: `5/s`. */
  readonly rate: string;
  /** 0 pauses the queue. */
  readonly ratePerSecond: number;
  readonly bucketSize: number;
  readonly concurrentRequestsMax: number;
  /** `service`, `version` or `version.service`; absent: the version that adds the task. */
  readonly target?: string;
  readonly retry: RetryParameters;
}

/** The queue that every app has. */
export const DEFAULT_QUEUE_NAME = 'default';

/** App Engine's defaults of retry_parameters: for ever, from 0.1 s, doubling 16 times, at most an hour apart. */
export const DEFAULT_RETRY: RetryParameters = Object.freeze({ minBackoffSeconds: 0.1, maxBackoffSeconds: 3_600, maxDoublings: 16 });

/** App Engine's default queue: 5/s. */
export const DEFAULT_QUEUE: QueueDefinition = Object.freeze({
  name: DEFAULT_QUEUE_NAME,
  rate: '5/s',
  ratePerSecond: 5,
  bucketSize: 5,
  concurrentRequestsMax: 1_000,
  retry: DEFAULT_RETRY,
});
