// What queue.yaml and cron.yaml have in common: when something is tried again, how long it may age, where it goes.
import { type z } from 'zod';
import { LIMITS } from '../limits.ts';
import { DEFAULT_RETRY, type RetryParameters } from '../queue-definition.ts';
import { field, fraction, matching, wholeNumber } from './manifest-fields.ts';

const AGE = /^(\d{1,7})([smhd])$/;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** `30s`, `5m`, `2h`, `1d` in seconds. */
export const ageLimit: z.ZodType<number, string> = field('a number with s, m, h or d, such as 2d', (text) => {
  const match = AGE.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[(match[2] ?? 's') as keyof typeof SECONDS] : 0;
  return seconds > 0 ? seconds : undefined;
});

export const target = matching(
  'a service, a version, or VERSION.SERVICE, in lower case',
  /^(?=.{1,127}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$/,
);

const backoffSeconds = fraction(0, LIMITS.taskBackoffSecondsMax);

/** The elements that both files have under retry_parameters. */
export const backoffElements = {
  min_backoff_seconds: backoffSeconds.optional(),
  max_backoff_seconds: backoffSeconds.optional(),
  max_doublings: wholeNumber(0, 100).optional(),
};

export interface BackoffYaml {
  readonly min_backoff_seconds?: number | undefined;
  readonly max_backoff_seconds?: number | undefined;
  readonly max_doublings?: number | undefined;
}

/** With App Engine's defaults; a longest pause below the shortest is raised to it. */
export function retryParameters(
  yaml: BackoffYaml,
  limits: { readonly retryLimit?: number | undefined; readonly ageLimitSeconds?: number | undefined },
): RetryParameters {
  const minBackoffSeconds =
    yaml.min_backoff_seconds ?? Math.min(DEFAULT_RETRY.minBackoffSeconds, yaml.max_backoff_seconds ?? DEFAULT_RETRY.maxBackoffSeconds);
  return {
    ...(limits.retryLimit === undefined ? {} : { retryLimit: limits.retryLimit }),
    ...(limits.ageLimitSeconds === undefined ? {} : { ageLimitSeconds: limits.ageLimitSeconds }),
    minBackoffSeconds,
    maxBackoffSeconds: Math.max(minBackoffSeconds, yaml.max_backoff_seconds ?? DEFAULT_RETRY.maxBackoffSeconds),
    maxDoublings: yaml.max_doublings ?? DEFAULT_RETRY.maxDoublings,
  };
}
