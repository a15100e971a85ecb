// cron.yaml's text → cron jobs. Elements: App Engine's cron.yaml reference.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type CronJobDefinition } from '../cron-definition.ts';
import { LIMITS } from '../limits.ts';
import { DEFAULT_RETRY, type RetryParameters } from '../queue-definition.ts';
import { readCronSchedule } from './cron-schedule.ts';
import { field, text, wholeNumber } from './manifest-fields.ts';
import { ageLimit, backoffElements, type BackoffYaml, retryParameters, target } from './retry-yaml.ts';
import { checkAgainst, type KnownNames } from './schema-check.ts';
import { YamlSource } from './yaml-source.ts';

/** The file's name in an app's directory. */
export const CRON_YAML = 'cron.yaml';

/** App Engine: 0 to 5; also what holds when retry_parameters names no limit at all. */
const RETRY_LIMIT_MAX = 5;
const SCHEDULE_CHARACTERS_MAX = 400;
const DEADLINE_SECONDS_MAX = LIMITS.requestDeadlineMs / 1_000;
const DEADLINE_SECONDS_MIN = LIMITS.taskDeadlineMsMin / 1_000;

const url = field('a path of the app, beginning with "/"', (value) =>
  value.startsWith('/') && value.length <= LIMITS.taskUrlCharactersMax && !/[\u0000-\u0020\u007f-\uffff#]/.test(value) ? value : undefined,
);

const schedule = z.string({ error: 'must be a schedule such as "every 12 hours"' }).transform((value, context) => {
  const reading =
    value.length > SCHEDULE_CHARACTERS_MAX ? { problem: `is longer than ${SCHEDULE_CHARACTERS_MAX} characters` } : readCronSchedule(value);
  if ('schedule' in reading) return value;
  context.issues.push({ code: 'custom', message: reading.problem, input: value });
  return z.NEVER;
});

const timezone = field('the name of a time zone, such as Europe/Berlin', (value) => (isTimeZone(value) ? value : undefined));

const attemptDeadline = field(`seconds from ${DEADLINE_SECONDS_MIN}s to ${DEADLINE_SECONDS_MAX}s`, (value) => {
  const seconds = /^\d{1,6}(?:\.\d{1,3})?s$/.test(value) ? Number(value.slice(0, -1)) : NaN;
  return seconds >= DEADLINE_SECONDS_MIN && seconds <= DEADLINE_SECONDS_MAX ? seconds : undefined;
});

const retryElements = {
  job_retry_limit: wholeNumber(0, RETRY_LIMIT_MAX).optional(),
  job_age_limit: ageLimit.optional(),
  ...backoffElements,
};

const job = z.strictObject(
  {
    url,
    schedule,
    description: text('a description', 499).nullable().optional(),
    timezone: timezone.optional(),
    target: target.optional(),
    attempt_deadline: attemptDeadline.optional(),
    retry_parameters: z.strictObject(retryElements, { error: 'must be a mapping such as "job_retry_limit: 3"' }).nullable().optional(),
  },
  { error: 'must be a job, beginning with "url:"' },
);

const cronYamlSchema = z.strictObject(
  {
    cron: z
      .array(job, { error: 'must be a list of jobs ("- url: …")' })
      .max(LIMITS.cronJobsPerAppMax, { error: `must have at most ${LIMITS.cronJobsPerAppMax} jobs` })
      .nullable()
      .optional(),
  },
  { error: 'must be a mapping with the element "cron"' },
);

const NAMES: KnownNames = {
  known: (path) => {
    if (path.includes('retry_parameters')) return Object.keys(retryElements);
    return path[0] === 'cron' ? Object.keys(job.shape) : ['cron'];
  },
  refusal: () => undefined,
};

/** The jobs that the file declares, in its order. An empty file declares none. Throws MANIFEST_INVALID. */
export function parseCronManifest(source: string, fileName: string): CronJobDefinition[] {
  const yaml = new YamlSource(source, fileName);
  if (yaml.data === null) return [];
  const ids = new Set<string>();
  return (checkAgainst(cronYamlSchema, yaml, NAMES).cron ?? []).map((each, index): CronJobDefinition => {
    const zone = each.timezone ?? 'UTC';
    const id = jobId(each.url, each.schedule, zone, each.target ?? '');
    if (ids.has(id)) throw yaml.errorAt(['cron', index], `the job for "${each.url}" stands here twice; keep one`);
    ids.add(id);
    return {
      id,
      description: each.description ?? '',
      url: each.url,
      schedule: each.schedule,
      timezone: zone,
      ...(each.target === undefined ? {} : { target: each.target }),
      ...(each.attempt_deadline === undefined ? {} : { deadlineSeconds: each.attempt_deadline }),
      retry: retryOf(each.retry_parameters ?? undefined),
    };
  });
}

/** Without retry_parameters a job is never tried again (App Engine). */
function retryOf(
  yaml: (BackoffYaml & { readonly job_retry_limit?: number | undefined; readonly job_age_limit?: number | undefined }) | undefined,
): RetryParameters {
  if (!yaml) return { ...DEFAULT_RETRY, retryLimit: 0 };
  const { job_retry_limit: retryLimit, job_age_limit: ageLimitSeconds } = yaml;
  const isUnbounded = retryLimit === undefined && ageLimitSeconds === undefined;
  return retryParameters(yaml, { retryLimit: isUnbounded ? RETRY_LIMIT_MAX : retryLimit, ageLimitSeconds });
}

function jobId(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}

function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z0-9_+/-]{1,100}$/.test(name) || /^[+-]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
