// What the control plane remembers, and the port through which it does: apps, versions, traffic, queues, cron jobs,
// dispatch rules, datastore tokens.
// Read next: app-registry.ts, the only reader and writer.
import { type BucketRun, type ErrorPageSpec, type ShardBy } from '../../router/ports.ts';
import { type CronJobDefinition } from '../../sdk/contract/cron-definition.ts';
import { type DatastoreTokenAccess } from '../../sdk/contract/admin/datastore-tokens.ts';
import { type DispatchRule } from '../../sdk/contract/dispatch-rule.ts';
import { type QueueDefinition } from '../../sdk/contract/queue-definition.ts';
import { type ManifestHandler, type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';

export interface AppRecord {
  readonly kind: 'app';
  readonly appId: string;
  readonly createdAtMs: number;
}

/** A version never changes but for its state and what is named so. States: staged → serving; either may be deleted. */
export interface VersionRecord {
  readonly kind: 'version';
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  /** Names this deployment of it, and its bundle directory. */
  readonly deploymentId: string;
  /** `staged`: its deploy is under way, so nothing routes to it; a dead deploy's is swept. */
  readonly state: 'staged' | 'serving';
  readonly createdAtMs: number;
  readonly runtime: string;
  readonly handlers: readonly ManifestHandler[];
  readonly defaultExpirationSeconds: number;
  readonly launch: LaunchRecord;
  /** Stopped by hand: it serves nothing and has no instances. May change. */
  readonly isStopped?: boolean;
  /** Manual scaling: how many instances it has now, instead of what app.yaml says. May change. */
  readonly instances?: number;
  /** Blob that lists the files: file-list.ts. */
  readonly fileListSha256: string;
  /** Pages of `error_handlers`; absent: none. Their content is among the files. */
  readonly errorPages?: readonly ErrorPageRecord[];
  readonly files: number;
  readonly bytes: number;
}

export interface ErrorPageRecord {
  readonly cause: ErrorPageSpec['cause'];
  readonly mimeType: string;
  readonly sha256: string;
}

/** A LaunchPlan without names and paths, so that a data directory may move. */
export interface LaunchRecord {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Fetched by the platform, of whatever release is newest when an instance starts; absent: the machine's own programs. */
  readonly runtime?: string;
  readonly memoryBytesMax: number;
  /** Absent in records of releases that did not keep it. */
  readonly instanceClass?: string;
  readonly pidsMax: number;
  readonly tmpBytesMax: number;
  readonly cpuWeight: number;
  readonly readyMsMax: number;
  readonly scaling: Scaling;
  readonly warmup: boolean;
}

export interface TrafficRecord {
  readonly kind: 'traffic';
  readonly appId: string;
  readonly service: string;
  /** Shares by version; they add up to 1. */
  readonly split: Readonly<Record<string, number>>;
  readonly shardBy: ShardBy;
  /** Who has which of the 1,000 buckets of visitors; absent in records of older releases. */
  readonly buckets?: readonly BucketRun[];
  /** The newest gradual move of traffic since the split was last set by hand. */
  readonly migration?: MigrationRecord;
  readonly changedAtMs: number;
}

/** A gradual move of a service's traffic to one version. States: running → done | rolled-back; either is only remembered. */
export interface MigrationRecord {
  readonly to: string;
  /** The split that it began with and goes back to when the new version fails. */
  readonly from: Readonly<Record<string, number>>;
  readonly state: 'running' | 'done' | 'rolled-back';
  /** Steps taken: traffic-migration.ts. */
  readonly steps: number;
  readonly durationMs: number;
  readonly startedAtMs: number;
  /** When the last step was taken. */
  readonly steppedAtMs: number;
  /** Why it was rolled back, for people. */
  readonly reason?: string;
}

/** The app's queue.yaml, as its last deploy had it. */
export interface QueuesRecord {
  readonly kind: 'queues';
  readonly appId: string;
  readonly queues: readonly QueueDefinition[];
  /** Whether its deploy resumed the queues that were paused by hand before. */
  readonly resumePaused: boolean;
  readonly changedAtMs: number;
}

export interface CronJobRecord extends CronJobDefinition {
  /** When it was first deployed: its first run is counted from here. */
  readonly sinceMs: number;
}

/** The app's cron.yaml, as its last deploy had it. */
export interface CronRecord {
  readonly kind: 'cron';
  readonly appId: string;
  readonly jobs: readonly CronJobRecord[];
  readonly changedAtMs: number;
}

/** The app's dispatch.yaml, as its last deploy had it. */
export interface DispatchRecord {
  readonly kind: 'dispatch';
  readonly appId: string;
  readonly rules: readonly DispatchRule[];
  readonly changedAtMs: number;
}

/** What of a token is kept. Inserted and deleted here, never changed; the datastore role reads it by its hash. */
export interface DatastoreTokenRecord {
  readonly kind: 'datastore-token';
  readonly appId: string;
  /** Of the secret: datastore-token-secret.ts. */
  readonly hash: string;
  /** Names it to people. */
  readonly id: string;
  readonly name: string;
  readonly access: DatastoreTokenAccess;
  readonly createdAtMs: number;
  /** Absent: it never expires. */
  readonly expiresAtMs?: number;
}

export type ControlRecord = AppRecord | VersionRecord | TrafficRecord | QueuesRecord | CronRecord | DispatchRecord | DatastoreTokenRecord;

/** What names a record: unique within its kind. */
export function recordName(record: ControlRecord): string {
  switch (record.kind) {
    case 'app':
    case 'queues':
    case 'cron':
    case 'dispatch':
      return record.appId;
    case 'traffic':
      return `${record.appId}/${record.service}`;
    case 'datastore-token':
      return record.hash;
    case 'version':
      return `${record.appId}/${record.service}/${record.version}`;
  }
}

/** `insert` wants that the record is not there, `put` does not care, `delete` is content when it is not. */
export interface ControlChange {
  readonly op: 'insert' | 'put' | 'delete';
  readonly record: ControlRecord;
}

/** Durable records. Twin: MemoryControlStore; suite: tests/contract/control-store.test.ts. */
export interface ControlStore {
  /** All records, in no order. */
  load(): Promise<readonly ControlRecord[]>;
  /** All changes or none; durable once resolved. Throws DS_ALREADY_EXISTS when an inserted record is there. */
  commit(changes: readonly ControlChange[]): Promise<void>;
}
