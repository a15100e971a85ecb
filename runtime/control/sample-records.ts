// Records for tests, complete and with every field easy to override.
import { type ShardBy } from '../../router/ports.ts';
import { DEFAULT_QUEUE } from '../../sdk/contract/queue-definition.ts';
import { movedBuckets } from '../../router/bucket-runs.ts';
import {
  type AppRecord,
  type CronRecord,
  type DatastoreTokenRecord,
  type DispatchRecord,
  type QueuesRecord,
  type TrafficRecord,
  type VersionRecord,
} from './control-store.ts';

export function appRecord(appId: string): AppRecord {
  return { kind: 'app', appId, createdAtMs: 1 };
}

export function trafficRecord(
  appId: string,
  service: string,
  split: Readonly<Record<string, number>>,
  shardBy: ShardBy = 'ip',
): TrafficRecord {
  return { kind: 'traffic', appId, service, split, shardBy, buckets: movedBuckets([], split), changedAtMs: 1 };
}

export function queuesRecord(appId: string): QueuesRecord {
  return { kind: 'queues', appId, queues: [{ ...DEFAULT_QUEUE, name: 'mail', target: 'worker' }], resumePaused: true, changedAtMs: 1 };
}

export function dispatchRecord(appId: string): DispatchRecord {
  return { kind: 'dispatch', appId, rules: [{ url: '*/a/*', host: '*', path: '/a/*', service: 'api' }], changedAtMs: 1 };
}

export function cronRecord(appId: string): CronRecord {
  const job = {
    id: 'a1',
    description: 'd',
    url: '/tick',
    schedule: 'every 5 minutes',
    timezone: 'UTC',
    retry: DEFAULT_QUEUE.retry,
    sinceMs: 1,
  };
  return { kind: 'cron', appId, jobs: [job], changedAtMs: 1 };
}

export function tokenRecord(appId: string, hash: string, changes: Partial<DatastoreTokenRecord> = {}): DatastoreTokenRecord {
  return { kind: 'datastore-token', appId, hash, id: `id-${hash}`, name: 'ci', access: 'read-write', createdAtMs: 1, ...changes };
}

export function versionRecord(appId: string, service: string, version: string, changes: Partial<VersionRecord> = {}): VersionRecord {
  return {
    kind: 'version',
    appId,
    service,
    version,
    deploymentId: `${appId}-${service}-${version}`,
    state: 'staged',
    createdAtMs: 1,
    runtime: 'nodejs',
    handlers: [],
    defaultExpirationSeconds: 600,
    launch: {
      command: ['node', 'server.js'],
      environment: {},
      memoryBytesMax: 1,
      pidsMax: 1,
      tmpBytesMax: 1,
      cpuWeight: 1,
      readyMsMax: 1,
      scaling: {
        kind: 'automatic',
        minInstances: 0,
        maxInstances: 20,
        minIdleInstances: 0,
        maxConcurrentRequests: 10,
        targetThroughputUtilization: 0.6,
        targetCpuUtilization: 0.6,
      },
      warmup: false,
    },
    fileListSha256: 'a'.repeat(64),
    files: 1,
    bytes: 1,
    ...changes,
  };
}
