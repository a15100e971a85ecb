// Records as bytes: JSON with the form's number in front, checked when read, since an older release may have written it.
//
//   bytes := UTF-8 of {"form": 1, "record": RECORD}
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type ControlRecord } from './control-store.ts';

const FORM = 1;

const shares = z.record(z.string(), z.number());
const texts = z.record(z.string(), z.string());

const handler = z.object({
  url: z.string(),
  target: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('script') }),
    z.object({ kind: z.literal('static-dir'), directory: z.string() }),
    z.object({ kind: z.literal('static-files'), path: z.string(), upload: z.string() }),
  ]),
  secure: z.enum(['always', 'never', 'optional']),
  redirectStatus: z.literal([301, 302, 303, 307]),
  // Records of releases that refused these elements have neither.
  login: z.enum(['optional', 'required', 'admin']).default('optional'),
  authFailAction: z.enum(['redirect', 'unauthorized']).default('redirect'),
  mimeType: z.string().exactOptional(),
  expirationSeconds: z.number().exactOptional(),
  httpHeaders: texts.exactOptional(),
  requireMatchingFile: z.boolean(),
});

const scaling = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('automatic'),
    minInstances: z.number(),
    maxInstances: z.number(),
    minIdleInstances: z.number(),
    maxIdleInstances: z.number().exactOptional(),
    maxConcurrentRequests: z.number(),
    targetThroughputUtilization: z.number(),
    targetCpuUtilization: z.number(),
    minPendingLatencyMs: z.number().exactOptional(),
    maxPendingLatencyMs: z.number().exactOptional(),
  }),
  z.object({ kind: z.literal('basic'), maxInstances: z.number(), idleTimeoutMs: z.number() }),
  z.object({ kind: z.literal('manual'), instances: z.number() }),
]);

const launch = z.object({
  command: z.array(z.string()),
  environment: texts,
  runtime: z.string().exactOptional(),
  memoryBytesMax: z.number(),
  instanceClass: z.string().exactOptional(),
  pidsMax: z.number(),
  tmpBytesMax: z.number(),
  cpuWeight: z.number(),
  readyMsMax: z.number(),
  scaling,
  warmup: z.boolean(),
});

const retry = z.object({
  retryLimit: z.number().exactOptional(),
  ageLimitSeconds: z.number().exactOptional(),
  minBackoffSeconds: z.number(),
  maxBackoffSeconds: z.number(),
  maxDoublings: z.number(),
});

const queue = z.object({
  name: z.string(),
  rate: z.string(),
  ratePerSecond: z.number(),
  bucketSize: z.number(),
  concurrentRequestsMax: z.number(),
  target: z.string().exactOptional(),
  retry,
});

const cronJob = z.object({
  id: z.string(),
  description: z.string(),
  url: z.string(),
  schedule: z.string(),
  timezone: z.string(),
  target: z.string().exactOptional(),
  deadlineSeconds: z.number().exactOptional(),
  retry,
  sinceMs: z.number(),
});

const migration = z.object({
  to: z.string(),
  from: shares,
  state: z.enum(['running', 'done', 'rolled-back']),
  steps: z.number(),
  durationMs: z.number(),
  startedAtMs: z.number(),
  steppedAtMs: z.number(),
  reason: z.string().exactOptional(),
});

const dispatchRule = z.object({ url: z.string(), host: z.string(), path: z.string(), service: z.string() });

const record: z.ZodType<ControlRecord> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('app'), appId: z.string(), createdAtMs: z.number() }),
  z.object({
    kind: z.literal('version'),
    appId: z.string(),
    service: z.string(),
    version: z.string(),
    deploymentId: z.string(),
    state: z.enum(['staged', 'serving']),
    createdAtMs: z.number(),
    runtime: z.string(),
    handlers: z.array(handler),
    defaultExpirationSeconds: z.number(),
    launch,
    isStopped: z.boolean().exactOptional(),
    instances: z.number().exactOptional(),
    fileListSha256: z.string(),
    errorPages: z
      .array(z.object({ cause: z.enum(['default', 'over_quota', 'timeout']), mimeType: z.string(), sha256: z.string() }))
      .exactOptional(),
    files: z.number(),
    bytes: z.number(),
  }),
  z.object({
    kind: z.literal('traffic'),
    appId: z.string(),
    service: z.string(),
    split: shares,
    shardBy: z.enum(['ip', 'cookie', 'random']),
    buckets: z.array(z.tuple([z.string(), z.number()])).exactOptional(),
    migration: migration.exactOptional(),
    changedAtMs: z.number(),
  }),
  z.object({
    kind: z.literal('queues'),
    appId: z.string(),
    queues: z.array(queue),
    resumePaused: z.boolean(),
    changedAtMs: z.number(),
  }),
  z.object({ kind: z.literal('cron'), appId: z.string(), jobs: z.array(cronJob), changedAtMs: z.number() }),
  z.object({ kind: z.literal('dispatch'), appId: z.string(), rules: z.array(dispatchRule), changedAtMs: z.number() }),
  z.object({
    kind: z.literal('datastore-token'),
    appId: z.string(),
    hash: z.string(),
    id: z.string(),
    name: z.string(),
    access: z.enum(['read-write', 'read-only']),
    createdAtMs: z.number(),
    expiresAtMs: z.number().exactOptional(),
  }),
]);

const envelope = z.object({ form: z.literal(FORM), record });

export function encodeRecord(value: ControlRecord): Buffer {
  return Buffer.from(JSON.stringify({ form: FORM, record: value }));
}

/** Throws DS_CORRUPT naming what does not fit. */
export function decodeRecord(bytes: Uint8Array): ControlRecord {
  const parsed = envelope.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data.record;
  const [issue] = parsed.error.issues;
  throw new PlatformError('DS_CORRUPT', `a control record, at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new PlatformError('DS_CORRUPT', 'a control record is not JSON', { cause });
  }
}
