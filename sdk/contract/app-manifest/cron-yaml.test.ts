import { describe, expect, it } from 'vitest';
import { type PlatformError } from '../errors.ts';
import { parseCronManifest } from './cron-yaml.ts';

const NEVER_AGAIN = { retryLimit: 0, minBackoffSeconds: 0.1, maxBackoffSeconds: 3_600, maxDoublings: 16 };

describe('parseCronManifest', () => {
  it('reads jobs, with the defaults of App Engine', () => {
    const text = `
cron:
- description: "daily summary"
  url: /tasks/summary?full=1
  schedule: every 24 hours
- url: /mail
  schedule: every monday 09:00
  timezone: Australia/NSW
  target: v2.worker
  attempt_deadline: 320s
  retry_parameters:
    job_retry_limit: 3
    min_backoff_seconds: 2.5
    max_doublings: 5
- url: /age
  schedule: '*/5 * * * *'
  retry_parameters: {job_age_limit: 1d}
- url: /both
  schedule: every 5 minutes
  retry_parameters: {min_backoff_seconds: 2.5}
`;
    const jobs = parseCronManifest(text, 'cron.yaml');
    expect(jobs).toMatchObject([
      { description: 'daily summary', url: '/tasks/summary?full=1', schedule: 'every 24 hours', timezone: 'UTC', retry: NEVER_AGAIN },
      {
        description: '',
        url: '/mail',
        schedule: 'every monday 09:00',
        timezone: 'Australia/NSW',
        target: 'v2.worker',
        deadlineSeconds: 320,
        retry: { retryLimit: 3, minBackoffSeconds: 2.5, maxBackoffSeconds: 3_600, maxDoublings: 5 },
      },
      {
        description: '',
        url: '/age',
        schedule: '*/5 * * * *',
        timezone: 'UTC',
        retry: { ageLimitSeconds: 86_400, minBackoffSeconds: 0.1, maxBackoffSeconds: 3_600, maxDoublings: 16 },
      },
      {
        description: '',
        url: '/both',
        schedule: 'every 5 minutes',
        timezone: 'UTC',
        retry: { ...NEVER_AGAIN, retryLimit: 5, minBackoffSeconds: 2.5 },
      },
    ]);
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(4);
    expect(parseCronManifest(text.replace('daily summary', 'other words'), 'cron.yaml').map(({ id }) => id)).toEqual(
      jobs.map(({ id }) => id),
    );
  });

  it.each(['', '# nothing\n', 'cron:\n', 'cron: []\n'])('declares none in %j', (text) => {
    expect(parseCronManifest(text, 'cron.yaml')).toEqual([]);
  });

  it('points at the place', () => {
    try {
      parseCronManifest('cron:\n- url: /a\n  schedule: every 5 days\n', 'cron.yaml');
      expect.unreachable();
    } catch (error) {
      expect((error as PlatformError).details).toMatchObject({ line: 3, column: 13 });
      expect((error as PlatformError).message).toContain('cron.yaml, line 3, column 13: "schedule" wants "hours" or "minutes", not "days"');
      expect((error as PlatformError).message).toContain('\n');
    }
  });

  it.each([
    ['cron:\n- url: /a\n', /"schedule" is missing/],
    ['cron:\n- schedule: every 5 minutes\n', /"url" is missing/],
    ['cron:\n- url: a\n  schedule: every 5 minutes\n', /"url" must be a path of the app/],
    ['cron:\n- url: "/a b"\n  schedule: every 5 minutes\n', /"url" must be a path/],
    [`cron:\n- url: /${'a'.repeat(2_083)}\n  schedule: every 5 minutes\n`, /"url" must be a path/],
    [
      'cron:\n- url: /a\n  schedule: every 5 minutes\n  timezone: Mars/Base\n',
      /line 4, column 13: "timezone" must be the name of a time zone/,
    ],
    ['cron:\n- url: /a\n  schedule: every 5 minutes\n  timezone: "+02:00"\n', /time zone/],
    ['cron:\n- url: /a\n  schedule: every 5 minutes\n  target: a.b.c\n', /VERSION.SERVICE/],
    ['cron:\n- url: /a\n  schedule: every 5 minutes\n  attempt_deadline: 900s\n', /from 15s to 600s/],
    ['cron:\n- url: /a\n  schedule: every 5 minutes\n  retry_parameters: {job_retry_limit: 6}\n', /a whole number from 0 to 5/],
    ['cron:\n- url: /a\n  schedule: every 5 minutes\n  retry_parameters: {task_retry_limit: 6}\n', /did you mean "job_retry_limit"/],
    ['cron:\n- schedul: every 5 minutes\n  url: /a\n', /did you mean "schedule"/],
    ['cron:\n- {url: /a, schedule: every 5 minutes}\n- {url: /a, schedule: every 5 minutes}\n', /line 3, column 3: .* stands here twice/],
    [`cron:\n${Array.from({ length: 251 }, (_, i) => `- {url: /${i}, schedule: every 5 minutes}\n`).join('')}`, /at most 250 jobs/],
    ['jobs: []\n', /unknown element "jobs"/],
  ])('refuses %j', (text, problem) => {
    expect(() => parseCronManifest(text, 'cron.yaml')).toThrow(problem);
  });
});
