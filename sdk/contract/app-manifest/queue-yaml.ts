// queue.yaml's text → push queues. Elements: App Engine's queue.yaml reference.
import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { DEFAULT_QUEUE, DEFAULT_RETRY, type QueueDefinition } from '../queue-definition.ts';
import { field, matching, wholeNumber, yesOrNo } from './manifest-fields.ts';
import { ageLimit, backoffElements, retryParameters, target } from './retry-yaml.ts';
import { checkAgainst, type KnownNames } from './schema-check.ts';
import { YamlSource } from './yaml-source.ts';

/** The file's name in an app's directory. */
export const QUEUE_YAML = 'queue.yaml';

const RATE = /^(\d{1,6}(?:\.\d{1,6})?)\/([smhd])$/;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Tasks a second; undefined when it is no rate, or above App Engine's limit. */
export function ratePerSecond(text: string): number | undefined {
  if (text === '0') return 0;
  const match = RATE.exec(text);
  if (!match) return undefined;
  const rate = Number(match[1]) / SECONDS[(match[2] ?? 's') as keyof typeof SECONDS];
  return rate <= LIMITS.queueRatePerSecondMax ? rate : undefined;
}

const RATE_WANTED = `a rate such as 5/s, 30/m, 100/h or 1000/d, or 0, at most ${LIMITS.queueRatePerSecondMax}/s`;
const rateText = field(RATE_WANTED, (text) => (ratePerSecond(text) === undefined ? undefined : text));

const mode = z.string().transform((text, context) => {
  if (text === 'push') return text;
  const message =
    text === 'pull'
      ? 'must be "push": there are no pull queues in this release; let the queue push its tasks to a handler of the app'
      : `must be "push", not ${JSON.stringify(text.slice(0, 60))}`;
  context.issues.push({ code: 'custom', message, input: text });
  return z.NEVER;
});

const retryElements = { task_retry_limit: wholeNumber(0, 1_000_000).optional(), task_age_limit: ageLimit.optional(), ...backoffElements };

const queue = z.strictObject(
  {
    name: matching('a queue name: 1 to 100 letters, digits and hyphens', /^[A-Za-z0-9-]{1,100}$/),
    // Looked for below: a pull queue has none, and that it is one is the news.
    rate: rateText.optional(),
    mode: mode.optional(),
    bucket_size: wholeNumber(1, LIMITS.queueBucketSizeMax).optional(),
    max_concurrent_requests: wholeNumber(1, LIMITS.queueConcurrentRequestsMax).optional(),
    target: target.optional(),
    retry_parameters: z.strictObject(retryElements, { error: 'must be a mapping such as "task_retry_limit: 7"' }).nullable().optional(),
  },
  { error: 'must be a queue, beginning with "name:"' },
);

const queueYamlSchema = z.strictObject(
  {
    queue: z
      .array(queue, { error: 'must be a list of queues ("- name: …")' })
      .max(LIMITS.queuesPerAppMax, { error: `must have at most ${LIMITS.queuesPerAppMax} queues` })
      .nullable()
      .optional(),
    resume_paused_queues: yesOrNo.optional(),
    total_storage_limit: matching('a number with B, K, M, G or T, such as 120M', /^\d{1,15}(?:\.\d{1,3})?[BKMGT]?$/).optional(),
  },
  { error: 'must be a mapping with the element "queue"' },
);

const NAMES: KnownNames = {
  known: (path) => {
    if (path.includes('retry_parameters')) return Object.keys(retryElements);
    return path[0] === 'queue' ? Object.keys(queue.shape) : Object.keys(queueYamlSchema.shape);
  },
  refusal: (path, key) =>
    path[0] === 'queue' && key === 'acl' ? 'belongs to pull queues, which are not in this release; remove it' : undefined,
};

export interface QueueManifest {
  readonly queues: readonly QueueDefinition[];
  /** Whether a deploy of this file resumes queues that were paused by hand. */
  readonly resumePaused: boolean;
}

export interface QueueYamlReading {
  readonly manifest: QueueManifest;
  /** For people: elements that were accepted and have no effect, one sentence each. */
  readonly notes: readonly string[];
}

/** The queues that the file declares, in its order. An empty file declares none. Throws MANIFEST_INVALID. */
export function readQueueManifest(text: string, fileName: string): QueueYamlReading {
  const source = new YamlSource(text, fileName);
  if (source.data === null) return { manifest: { queues: [], resumePaused: true }, notes: [] };
  const yaml = checkAgainst(queueYamlSchema, source, NAMES);
  const names = new Set<string>();
  const queues = (yaml.queue ?? []).map((each, index): QueueDefinition => {
    if (names.has(each.name)) throw source.errorAt(['queue', index, 'name'], `the queue "${each.name}" stands here twice; keep one`);
    names.add(each.name);
    const { rate, retry_parameters: retry } = each;
    if (rate === undefined) throw source.errorAt(['queue', index], `"rate" is missing: it must be ${RATE_WANTED}`);
    return {
      name: each.name,
      rate,
      ratePerSecond: ratePerSecond(rate) ?? 0,
      bucketSize: each.bucket_size ?? DEFAULT_QUEUE.bucketSize,
      concurrentRequestsMax: each.max_concurrent_requests ?? DEFAULT_QUEUE.concurrentRequestsMax,
      ...(each.target === undefined ? {} : { target: each.target }),
      retry: retry ? retryParameters(retry, { retryLimit: retry.task_retry_limit, ageLimitSeconds: retry.task_age_limit }) : DEFAULT_RETRY,
    };
  });
  const notes =
    yaml.total_storage_limit === undefined
      ? []
      : [`"total_storage_limit" has no effect here: a queue holds at most ${LIMITS.queueTasksMax} tasks`];
  return { manifest: { queues, resumePaused: yaml.resume_paused_queues ?? true }, notes };
}
