// All records as one immutable picture, and every rule about changing it: pure functions from the picture to changes.
import { movedBuckets } from '../../router/bucket-runs.ts';
import { type VersionChange } from '../../sdk/contract/admin/versions.ts';
import { type ShardBy } from '../../router/ports.ts';
import { type QueueManifest } from '../../sdk/contract/app-manifest/queue-yaml.ts';
import { type CronJobDefinition } from '../../sdk/contract/cron-definition.ts';
import { type DispatchRule } from '../../sdk/contract/dispatch-rule.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import {
  type AppRecord,
  type ControlChange,
  type ControlRecord,
  type CronRecord,
  type DatastoreTokenRecord,
  type DispatchRecord,
  type MigrationRecord,
  type QueuesRecord,
  recordName,
  type TrafficRecord,
  type VersionRecord,
} from './control-store.ts';
import { beginMigration, migrationSplit } from './traffic-migration.ts';

export interface ServiceState {
  readonly service: string;
  /** By name, serving and staged ones. */
  readonly versions: ReadonlyMap<string, VersionRecord>;
  readonly traffic?: TrafficRecord;
}

export interface AppState {
  readonly record: AppRecord;
  readonly services: ReadonlyMap<string, ServiceState>;
  /** Absent when the app never had a queue.yaml. */
  readonly queues?: QueuesRecord;
  /** Absent when the app never had a cron.yaml. */
  readonly cron?: CronRecord;
  /** Absent when the app never had a dispatch.yaml. */
  readonly dispatch?: DispatchRecord;
  readonly datastoreTokens: readonly DatastoreTokenRecord[];
}

export type RegistryState = ReadonlyMap<string, AppState>;

/** Versions and traffic of an app that has no record are left out: a half-deleted app is no app. */
export function stateOf(records: Iterable<ControlRecord>): RegistryState {
  const sorted = [...records].sort((a, b) => (recordName(a) < recordName(b) ? -1 : 1));
  const apps = new Map<
    string,
    {
      record: AppRecord;
      services: Map<string, { service: string; versions: Map<string, VersionRecord>; traffic?: TrafficRecord }>;
      queues?: QueuesRecord;
      cron?: CronRecord;
      dispatch?: DispatchRecord;
      datastoreTokens: DatastoreTokenRecord[];
    }
  >();
  for (const record of sorted) if (record.kind === 'app') apps.set(record.appId, { record, services: new Map(), datastoreTokens: [] });
  for (const record of sorted) {
    const app = apps.get(record.appId);
    if (!app || record.kind === 'app') continue;
    if (record.kind === 'queues') app.queues = record;
    else if (record.kind === 'cron') app.cron = record;
    else if (record.kind === 'dispatch') app.dispatch = record;
    else if (record.kind === 'datastore-token') app.datastoreTokens.push(record);
    if (record.kind !== 'version' && record.kind !== 'traffic') continue;
    const service = app.services.get(record.service) ?? { service: record.service, versions: new Map<string, VersionRecord>() };
    app.services.set(record.service, service);
    if (record.kind === 'version') service.versions.set(record.version, record);
    else service.traffic = record;
  }
  return apps;
}

/** Throws APP_NOT_FOUND. */
export function appIn(state: RegistryState, appId: string): AppState {
  const app = state.get(appId);
  if (!app) throw new PlatformError('APP_NOT_FOUND', `"${appId}"`);
  return app;
}

/** Throws APP_NOT_FOUND, VERSION_NOT_FOUND. */
export function versionIn(state: RegistryState, appId: string, service: string, version: string): VersionRecord {
  const record = appIn(state, appId).services.get(service)?.versions.get(version);
  if (!record) throw new PlatformError('VERSION_NOT_FOUND', `"${version}" of the service "${service}"`);
  return record;
}

export function versionsOf(app: AppState): VersionRecord[] {
  return [...app.services.values()].flatMap((service) => [...service.versions.values()]);
}

export function allVersions(state: RegistryState): VersionRecord[] {
  return [...state.values()].flatMap(versionsOf);
}

/** 0 … 1. */
export function shareOf(state: RegistryState, record: VersionRecord): number {
  return state.get(record.appId)?.services.get(record.service)?.traffic?.split[record.version] ?? 0;
}

/** A deploy's first record. Throws VERSION_EXISTS, VERSION_LIMIT. */
export function stagingChanges(state: RegistryState, record: VersionRecord): ControlChange[] {
  const app = state.get(record.appId);
  if (!app) {
    if (state.size >= LIMITS.appsMax) throw new PlatformError('VERSION_LIMIT', `at most ${LIMITS.appsMax} apps`);
    const created: AppRecord = { kind: 'app', appId: record.appId, createdAtMs: record.createdAtMs };
    return [
      { op: 'insert', record: created },
      { op: 'insert', record },
    ];
  }
  if (app.services.get(record.service)?.versions.has(record.version)) {
    throw new PlatformError('VERSION_EXISTS', `"${record.version}" of the service "${record.service}"`);
  }
  if (versionsOf(app).length >= LIMITS.versionsPerAppMax) {
    throw new PlatformError('VERSION_LIMIT', `"${record.appId}" has ${LIMITS.versionsPerAppMax} versions`);
  }
  if (!app.services.has(record.service) && app.services.size >= LIMITS.servicesPerAppMax) {
    throw new PlatformError('VERSION_LIMIT', `"${record.appId}" has ${LIMITS.servicesPerAppMax} services`);
  }
  return [{ op: 'insert', record }];
}

/** What a deploy brings for the app as a whole; what it leaves out stays as it is. */
export interface AppSettings {
  readonly queues?: QueueManifest;
  readonly cron?: readonly CronJobDefinition[];
  readonly dispatch?: readonly DispatchRule[];
}

/** A staged version begins to serve, with all of its service's traffic when it is promoted, and its app's settings hold. */
export function servingChanges(
  state: RegistryState,
  staged: VersionRecord,
  promote: boolean,
  nowMs: number,
  settings: AppSettings = {},
): ControlChange[] {
  const record = versionIn(state, staged.appId, staged.service, staged.version);
  const changes: ControlChange[] = [{ op: 'put', record: { ...record, state: 'serving' } }];
  if (promote) changes.push({ op: 'put', record: trafficRecord(state, record, { [record.version]: 1 }, undefined, nowMs) });
  return [...changes, ...settingsChanges(state, record.appId, settings, nowMs)];
}

/** Settings alone, without a new version. Throws APP_NOT_FOUND. */
export function settingsChanges(state: RegistryState, appId: string, settings: AppSettings, nowMs: number): ControlChange[] {
  const { queues, cron, dispatch } = settings;
  appIn(state, appId);
  const changes: ControlChange[] = [];
  if (dispatch) changes.push({ op: 'put', record: { kind: 'dispatch', appId, rules: dispatch, changedAtMs: nowMs } });
  if (queues) changes.push({ op: 'put', record: { kind: 'queues', appId, ...queues, changedAtMs: nowMs } });
  if (cron) {
    const before = new Map(state.get(appId)?.cron?.jobs.map(({ id, sinceMs }) => [id, sinceMs]));
    const jobs = cron.map((job) => ({ ...job, sinceMs: before.get(job.id) ?? nowMs }));
    changes.push({ op: 'put', record: { kind: 'cron', appId, jobs, changedAtMs: nowMs } });
  }
  return changes;
}

/** Throws APP_NOT_FOUND, DS_LIMIT. */
export function tokenChanges(state: RegistryState, record: DatastoreTokenRecord): ControlChange[] {
  const { length } = appIn(state, record.appId).datastoreTokens;
  if (length >= LIMITS.datastoreTokensPerAppMax) {
    throw new PlatformError('DS_LIMIT', `"${record.appId}" has ${length} datastore tokens, and may have no more`);
  }
  return [{ op: 'insert', record }];
}

/** Throws APP_NOT_FOUND, NOT_FOUND. */
export function tokenDeletionChanges(state: RegistryState, appId: string, id: string): ControlChange[] {
  const record = appIn(state, appId).datastoreTokens.find((token) => token.id === id);
  if (!record) throw new PlatformError('NOT_FOUND', `the datastore token ${JSON.stringify(id.slice(0, 100))} of "${appId}"`);
  return [{ op: 'delete', record }];
}

/** Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT. */
export function trafficChanges(
  state: RegistryState,
  appId: string,
  service: string,
  weights: Readonly<Record<string, number>>,
  shardBy: ShardBy | undefined,
  nowMs: number,
): ControlChange[] {
  const named = Object.entries(weights).filter(([, weight]) => weight !== 0);
  appIn(state, appId);
  for (const [version, weight] of named) {
    if (versionIn(state, appId, service, version).state !== 'serving') {
      throw new PlatformError('VERSION_NOT_FOUND', `"${version}" of the service "${service}" is still being deployed`);
    }
    if (!Number.isFinite(weight) || weight < 0) {
      throw new PlatformError('INVALID_ARGUMENT', `the share of "${version}" must be a number above 0, is ${weight}`);
    }
  }
  const total = named.reduce((sum, [, weight]) => sum + weight, 0);
  if (named.length === 0 || !Number.isFinite(total)) throw new PlatformError('INVALID_ARGUMENT', 'at least one version must get traffic');
  return [{ op: 'put', record: trafficRecord(state, { appId, service }, roundedShares(named, total), shardBy, nowMs) }];
}

/** A gradual move of all traffic begins with its first step. Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT. */
export function migrationBegin(
  state: RegistryState,
  appId: string,
  service: string,
  to: string,
  options: { readonly durationMs: number; readonly shardBy?: ShardBy },
  nowMs: number,
): ControlChange[] {
  const from = appIn(state, appId).services.get(service)?.traffic?.split ?? {};
  if (versionIn(state, appId, service, to).state !== 'serving') {
    throw new PlatformError('VERSION_NOT_FOUND', `"${to}" of the service "${service}" is still being deployed`);
  }
  if (Object.keys(from).every((version) => version === to)) {
    throw new PlatformError('INVALID_ARGUMENT', `no version but "${to}" gets traffic, so there is none to move`);
  }
  const migration = beginMigration(to, from, options.durationMs, nowMs);
  return migrationChange(state, { appId, service }, migration, options.shardBy, nowMs);
}

/** The next point of a migration; nothing when `before` is not how the migration stands any more. */
export function migrationChanges(
  state: RegistryState,
  appId: string,
  service: string,
  before: MigrationRecord,
  next: MigrationRecord,
  nowMs: number,
): ControlChange[] {
  const current = state.get(appId)?.services.get(service)?.traffic?.migration;
  const isSame = current?.state === 'running' && current.startedAtMs === before.startedAtMs && current.steps === before.steps;
  return isSame ? migrationChange(state, { appId, service }, next, undefined, nowMs) : [];
}

function migrationChange(
  state: RegistryState,
  of: { readonly appId: string; readonly service: string },
  migration: MigrationRecord,
  shardBy: ShardBy | undefined,
  nowMs: number,
): ControlChange[] {
  const shares = roundedShares(Object.entries(migrationSplit(migration)), 1);
  return [{ op: 'put', record: { ...trafficRecord(state, of, shares, shardBy, nowMs), migration } }];
}

export function runningMigrations(state: RegistryState): TrafficRecord[] {
  const traffic = [...state.values()].flatMap(({ services }) => [...services.values()].map((service) => service.traffic));
  return traffic.filter((record) => record !== undefined).filter(({ migration }) => migration?.state === 'running');
}

/** Shares in thousandths, as fine as App Engine splits; the largest takes what rounding leaves. */
function roundedShares(named: readonly (readonly [string, number])[], total: number): Readonly<Record<string, number>> {
  const thousandths = named.map(([version, weight]) => [version, Math.max(1, Math.round((weight / total) * 1_000))] as const);
  const largest = thousandths.reduce((a, b) => (b[1] > a[1] ? b : a));
  const others = thousandths.filter((share) => share !== largest);
  const rest = 1_000 - others.reduce((sum, [, share]) => sum + share, 0);
  if (rest < 1) throw new PlatformError('INVALID_ARGUMENT', 'traffic is split by thousandths, and these shares are smaller');
  return Object.fromEntries(thousandths.map((share) => [share[0], (share === largest ? rest : share[1]) / 1_000]));
}

/** Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT. */
export function runningChanges(
  state: RegistryState,
  appId: string,
  service: string,
  version: string,
  { isStopped, instances }: VersionChange,
): ControlChange[] {
  const record = versionIn(state, appId, service, version);
  const { kind } = record.launch.scaling;
  if (isStopped !== undefined && kind === 'automatic') {
    throw new PlatformError('INVALID_ARGUMENT', `"${version}" scales automatically: it has no instances when nobody asks for it`);
  }
  if (instances !== undefined && kind !== 'manual') {
    throw new PlatformError('INVALID_ARGUMENT', `"${version}" has ${kind} scaling: only with manual scaling is their number set`);
  }
  const changed: VersionRecord = {
    ...record,
    ...(isStopped === undefined ? {} : { isStopped }),
    ...(instances === undefined ? {} : { instances }),
  };
  return [{ op: 'put', record: changed }];
}

/** Throws APP_NOT_FOUND, VERSION_NOT_FOUND, VERSION_HAS_TRAFFIC. The app goes with its last version. */
export function deletionChanges(state: RegistryState, appId: string, service: string, version: string): ControlChange[] {
  const record = versionIn(state, appId, service, version);
  const share = shareOf(state, record);
  const app = appIn(state, appId);
  const isLastOfApp = versionsOf(app).length === 1;
  // The only version of an app may go although it has all traffic: there is nowhere to move it to.
  if (share > 0 && !isLastOfApp) {
    throw new PlatformError('VERSION_HAS_TRAFFIC', `"${version}" of the service "${service}" gets ${Math.round(share * 1_000) / 10} %`);
  }
  const serviceState = app.services.get(service);
  const changes: ControlChange[] = [{ op: 'delete', record }];
  if (serviceState?.versions.size === 1 && serviceState.traffic) changes.push({ op: 'delete', record: serviceState.traffic });
  if (isLastOfApp) {
    const settings = [app.queues, app.cron, app.dispatch, ...app.datastoreTokens, app.record];
    for (const each of settings) if (each) changes.push({ op: 'delete', record: each });
  }
  return changes;
}

function trafficRecord(
  state: RegistryState,
  { appId, service }: { readonly appId: string; readonly service: string },
  split: Readonly<Record<string, number>>,
  shardBy: ShardBy | undefined,
  nowMs: number,
): TrafficRecord {
  const before = state.get(appId)?.services.get(service)?.traffic;
  const buckets = movedBuckets(before?.buckets ?? movedBuckets([], before?.split ?? {}), split);
  return { kind: 'traffic', appId, service, split, shardBy: shardBy ?? before?.shardBy ?? 'ip', buckets, changedAtMs: nowMs };
}
