import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.ts';
import { ratePerSecond, readQueueManifest } from './queue-yaml.ts';

const parse = (text: string) => readQueueManifest(text, 'queue.yaml');

describe('readQueueManifest', () => {
  it('reads queues, with the defaults of App Engine', () => {
    const { manifest, notes } = parse(`
total_storage_limit: 120M
resume_paused_queues: no
queue:
- name: default
  rate: 30/m
- name: mail-queue
  mode: push
  rate: 20/s
  bucket_size: 40
  max_concurrent_requests: 10
  target: v2.worker
  retry_parameters:
    task_retry_limit: 7
    task_age_limit: 2d
    min_backoff_seconds: 10
    max_backoff_seconds: 200
    max_doublings: 0
- name: paused
  rate: 0
  retry_parameters: {max_backoff_seconds: 0.05}
`);
    expect(manifest).toEqual({
      resumePaused: false,
      queues: [
        {
          name: 'default',
          rate: '30/m',
          ratePerSecond: 0.5,
          bucketSize: 5,
          concurrentRequestsMax: 1_000,
          retry: { minBackoffSeconds: 0.1, maxBackoffSeconds: 3_600, maxDoublings: 16 },
        },
        {
          name: 'mail-queue',
          rate: '20/s',
          ratePerSecond: 20,
          bucketSize: 40,
          concurrentRequestsMax: 10,
          target: 'v2.worker',
          retry: { retryLimit: 7, ageLimitSeconds: 172_800, minBackoffSeconds: 10, maxBackoffSeconds: 200, maxDoublings: 0 },
        },
        {
          name: 'paused',
          rate: '0',
          ratePerSecond: 0,
          bucketSize: 5,
          concurrentRequestsMax: 1_000,
          retry: { minBackoffSeconds: 0.05, maxBackoffSeconds: 0.05, maxDoublings: 16 },
        },
      ],
    });
    expect(notes).toEqual([expect.stringMatching(/"total_storage_limit" has no effect here/)]);
  });

  it.each(['', '# nothing\n', 'queue:\n', 'queue: []\n'])('declares none in %j', (text) => {
    expect(parse(text).manifest).toEqual({ queues: [], resumePaused: true });
  });

  it.each([
    ['queue:\n- name: a\n', /"rate" is missing/],
    ['queue:\n- {name: a, rate: 5}\n', /"rate" must be a rate such as 5\/s/],
    ['queue:\n- {name: a, rate: 501/s}\n', /at most 500\/s/],
    ['queue:\n- name: a\n  mode: pull\n', /line 3, column 9: "mode" must be "push": there are no pull queues in this release/],
    ['queue:\n- {name: a, rate: 5/s, mode: poll}\n', /"mode" must be "push", not "poll"/],
    ['queue:\n- {name: a_b, rate: 5/s}\n', /letters, digits and hyphens/],
    [`queue:\n- {name: ${'a'.repeat(101)}, rate: 5/s}\n`, /1 to 100/],
    ['queue:\n- {name: a, rate: 5/s}\n- {name: a, rate: 5/s}\n', /line 3, column 10: the queue "a" stands here twice/],
    ['queue:\n- {name: a, rate: 5/s, bucket_size: 501}\n', /from 1 to 500/],
    [`queue:\n- {name: a, rate: 5/s, max_concurrent_requests: ${LIMITS.queueConcurrentRequestsMax + 1}}\n`, /from 1 to 1000/],
    ['queue:\n- name: a\n  rate: 5/s\n  acl: []\n', /"acl" belongs to pull queues/],
    [
      'queue:\n- name: a\n  rate: 5/s\n  retry_parameters: {task_age_limit: 5}\n',
      /line 4, column \d+: "task_age_limit" must be a number with s, m, h or d/,
    ],
    ['queue:\n- name: a\n  rate: 5/s\n  retry_parameters: {max_backoff_seconds: 86401}\n', /from 0 to 86400/],
    ['queue:\n- name: a\n  rate: 5/s\n  retry_params: {}\n', /did you mean "retry_parameters"/],
    [`queue:\n${Array.from({ length: 101 }, (_, i) => `- {name: q${i}, rate: 5/s}\n`).join('')}`, /at most 100 queues/],
  ])('refuses %j', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  it.each([
    ['5/s', 5],
    ['90/m', 1.5],
    ['3600/h', 1],
    ['8640/d', 0.1],
    ['0.5/s', 0.5],
    ['0', 0],
    ['500/s', 500],
    ['30001/m', undefined],
    ['5', undefined],
    ['-5/s', undefined],
    ['5/w', undefined],
  ])('reads the rate %s', (text, rate) => {
    expect(ratePerSecond(text)).toBe(rate);
  });
});
