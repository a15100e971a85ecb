// The admin API: what the command line and the console speak with the control role, JSON over HTTP under /api/v1.
// More of it: routing.ts, session.ts, logs.ts, data.ts, tasks.ts, usage.ts.
// Every call carries `Authorization: Bearer TOKEN`, or a browser's session cookie (session.ts). Errors are `{ "error": ErrorBody }` with the row's HTTP status.
//
//   GET    /status                                      → StatusView              (no token needed)
//   GET    /apps                                        → { apps: AppView[] }
//   GET    /apps/A                                      → AppView
//   DELETE /apps/A/services/S/versions/V                → {}
//   GET    /apps/A/versions                             → { versions: VersionView[] }
//   GET    /apps/A/instances                            → { instances: AdminInstanceView[] }
//   DELETE /apps/A/instances/I                          → {}                      (it drains, then ends)
//   PUT    /apps/A/services/S/traffic  TrafficRequest   → { versions: VersionView[] }
//   POST   /apps/A/deployments         DeployRequest    → DeployBegun
//   PUT    /apps/A/deployments/D/blobs/SHA256  bytes    → {}                      (the content must have that hash)
//   POST   /apps/A/deployments/D/finish                 → newline-delimited DeployEvent, the last one `done` or `failed`
import { type DispatchRule } from '../dispatch-rule.ts';
import { type ErrorBody } from '../errors.ts';
import { type VersionRunningView } from './versions.ts';
import { type MigrationView } from './routing.ts';

export interface StatusView {
  readonly release: string;
  /** Base of app URLs, for example http://{id}.localhost:8080/ */
  readonly appUrlTemplate: string;
  readonly sandbox: 'bubblewrap' | 'process';
  readonly warnings: readonly string[];
}

export interface AppView {
  readonly id: string;
  readonly url: string;
  readonly createdAtMs: number;
  readonly services: readonly ServiceView[];
  /** The rules of dispatch.yaml, in their order. */
  readonly dispatch: readonly Pick<DispatchRule, 'url' | 'service'>[];
}

export interface ServiceView {
  readonly service: string;
  readonly url: string;
  /** Shares by version; they add up to 1. */
  readonly split: Readonly<Record<string, number>>;
  /** By what a visitor stays at a version. */
  readonly shardBy: 'ip' | 'cookie' | 'random';
  /** Absent when the split was set at once. */
  readonly migration?: MigrationView;
  readonly versions: number;
}

export interface VersionView {
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly url: string;
  readonly runtime: string;
  readonly createdAtMs: number;
  /** 0 … 1 of its service. */
  readonly trafficShare: number;
  /** By what its service's traffic is split. */
  readonly shardBy: 'ip' | 'cookie' | 'random';
  readonly instances: number;
  /** Absent from servers of earlier releases. */
  readonly running?: VersionRunningView;
}

export interface AdminInstanceView {
  readonly id: string;
  readonly service: string;
  readonly version: string;
  readonly state: string;
  /** Outermost process of its sandbox on the server. */
  readonly pid?: number;
  readonly startedAtMs: number;
  readonly readyMs?: number;
  readonly cpuMicros?: number;
  readonly memoryBytes?: number;
  /** The limit of its class. */
  readonly memoryBytesMax?: number;
}

export interface TrafficRequest {
  readonly split: Readonly<Record<string, number>>;
  readonly shardBy?: 'ip' | 'cookie' | 'random';
  /** Moves traffic to the one version of `split` step by step within this time, and back when that version fails. */
  readonly migrateMs?: number;
}

export interface UploadFile {
  /** Relative, `/` between parts, Unicode form C. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly executable: boolean;
}

export interface DeployRequest {
  readonly files: readonly UploadFile[];
  /** Absent: a name from the time. */
  readonly version?: string;
  /** Whether all traffic of the service moves to the new version. */
  readonly promote: boolean;
}

export interface DeployBegun {
  readonly deploymentId: string;
  /** Hashes whose content the server does not have. */
  readonly missing: readonly string[];
}

export const DEPLOY_STEPS = ['validate', 'build', 'index', 'stage', 'start', 'compress', 'traffic'] as const;
export type DeployStep = (typeof DEPLOY_STEPS)[number];

export type DeployEvent =
  | { readonly kind: 'step'; readonly step: DeployStep; readonly state: 'running' | 'done' | 'skipped'; readonly message: string }
  | { readonly kind: 'output'; readonly step: DeployStep; readonly line: string }
  | {
      readonly kind: 'done';
      readonly appId: string;
      readonly service: string;
      readonly version: string;
      readonly url: string;
      readonly versionUrl: string;
      readonly promoted: boolean;
    }
  | { readonly kind: 'failed'; readonly step: DeployStep; readonly error: ErrorBody };
