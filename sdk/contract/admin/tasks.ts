// Task queues and cron of one app.
//
//   GET    /apps/A/queues                        → { queues: QueueView[] }
//   GET    /apps/A/queues/Q/tasks?limit=N        → { tasks: TaskView[] }         (by ETA, soonest first)
//   POST   /apps/A/queues/Q/pause | resume       → QueueView
//   POST   /apps/A/queues/Q/purge                → { purged: number }
//   POST   /apps/A/queues/Q/tasks/T/run          → {}                            (its ETA becomes now)
//   DELETE /apps/A/queues/Q/tasks/T              → {}
//   GET    /apps/A/cron                          → { jobs: CronJobView[] }
//   POST   /apps/A/cron/ID/run                   → CronJobView

export interface QueueView {
  readonly name: string;
  /** As queue.yaml writes it: `5/s`. */
  readonly rate: string;
  readonly bucketSize: number;
  readonly concurrentRequestsMax: number;
  readonly isPaused: boolean;
  readonly tasks: number;
  readonly running: number;
  /** Absent when the queue is empty. */
  readonly oldestEtaMs?: number;
  readonly executedLastMinute: number;
  readonly failedLastMinute: number;
}

export interface TaskView {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly etaMs: number;
  readonly createdAtMs: number;
  readonly retries: number;
  readonly state: 'waiting' | 'running';
  readonly bytes: number;
  /** Status of its last try. */
  readonly lastStatus?: number;
}

export interface CronJobView {
  /** Stable for one url and schedule. */
  readonly id: string;
  readonly description: string;
  readonly url: string;
  readonly schedule: string;
  readonly timezone: string;
  readonly target?: string;
  readonly nextRunAtMs?: number;
  readonly lastRunAtMs?: number;
  readonly lastStatus?: number;
  readonly lastLatencyMs?: number;
}
