// A cron job as cron.yaml declares it.
import { type RetryParameters } from './queue-definition.ts';

export interface CronJobDefinition {
  /** Stable as long as url, schedule, time zone and target are. */
  readonly id: string;
  readonly description: string;
  readonly url: string;
  /** As written; app-manifest/cron-schedule.ts reads it. */
  readonly schedule: string;
  /** A zoneinfo name. */
  readonly timezone: string;
  /** `service`, `version` or `version.service`; absent: the default service. */
  readonly target?: string;
  /** How long one run may take; absent: as any request. */
  readonly deadlineSeconds?: number;
  readonly retry: RetryParameters;
}
