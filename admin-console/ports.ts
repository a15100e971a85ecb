// The console: the admin API over HTTP, and the pages that people see. One origin of its own.
// It must not decide anything about apps: it checks who asks and what they send, then asks through the ports below.
// Read next: server.ts, then sdk/contract/admin/admin.ts (the API's contract).
import { type CronJobView, type QueueView, type TaskView } from '../sdk/contract/admin/tasks.ts';
import {
  type AdminInstanceView,
  type AppView,
  type DeployBegun,
  type DeployEvent,
  type DeployRequest,
  type StatusView,
  type TrafficRequest,
  type VersionView,
} from '../sdk/contract/admin/admin.ts';
import { type LogLine, type LogSeverity } from '../sdk/contract/admin/logs.ts';
import { type VersionChange } from '../sdk/contract/admin/versions.ts';
import {
  type EntityView,
  type EntityWrite,
  type GqlAnswerView,
  type GqlRequestView,
  type KindView,
  type MailSummaryView,
  type MailView,
  type MemcacheEntryView,
  type MemcacheEntryWrite,
  type MemcacheStatsView,
} from '../sdk/contract/admin/data.ts';
import { type DatastoreSettingsChange, type DatastoreSettingsView } from '../sdk/contract/admin/datastore-settings.ts';
import { type DatastoreTokenCreated, type DatastoreTokenRequest, type DatastoreTokenView } from '../sdk/contract/admin/datastore-tokens.ts';
import { type RoleView } from '../sdk/contract/admin/health.ts';
import { type IndexView } from '../sdk/contract/admin/indexes.ts';
import { type CheckEvent, type CheckRequest } from '../sdk/contract/admin/integrity.ts';
import { type ExportLine, type ExportRequest, type ImportMode, type ImportResult } from '../sdk/contract/admin/transfer.ts';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { type SettingsApplied } from '../sdk/contract/admin/routing.ts';
import { type TabletQuery, type TabletsView } from '../sdk/contract/admin/tablets.ts';
import { type AccountChange, type AccountRequest, type AccountView } from '../sdk/contract/admin/session.ts';
import {
  type BillingChange,
  type BillingView,
  type InvoiceView,
  type MetricsView,
  type QuotasView,
  type UsageView,
} from '../sdk/contract/admin/usage.ts';
import { type TtlPolicyAnswer, type TtlPolicyView } from '../sdk/contract/admin/ttl.ts';

/** What runs, and what may be changed about it. Every call may throw APP_NOT_FOUND, VERSION_NOT_FOUND, RPC_UNAVAILABLE. */
export interface AppsApi {
  status(): StatusView;
  apps(): Promise<readonly AppView[]>;
  app(appId: string): Promise<AppView>;
  versions(appId: string): Promise<readonly VersionView[]>;
  instances(appId: string): Promise<readonly AdminInstanceView[]>;
  /** Resolves once it takes no more requests; it ends when those that it has are done. Throws INSTANCE_NOT_FOUND. */
  stopInstance(appId: string, instanceId: string): Promise<void>;
  /** Throws VERSION_HAS_TRAFFIC. */
  deleteVersion(appId: string, service: string, version: string): Promise<void>;
  /** The service's versions afterwards. */
  setTraffic(appId: string, service: string, request: TrafficRequest): Promise<readonly VersionView[]>;
}

/** Settings of an app as a whole. */
export interface SettingsApi {
  /** `files` by name, all or none of them. Throws APP_NOT_FOUND, MANIFEST_INVALID, INVALID_ARGUMENT for a name that is no such file. */
  apply(appId: string, files: Readonly<Record<string, string>>): Promise<SettingsApplied>;
}

export interface VersionsApi {
  /** The version afterwards. Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT when its scaling has no such thing. */
  changeVersion(appId: string, service: string, version: string, change: VersionChange): Promise<VersionView>;
}

export interface DeployApi {
  /** Throws APP_ID_INVALID, LABEL_INVALID, UPLOAD_REFUSED. */
  begin(appId: string, request: DeployRequest): Promise<DeployBegun>;
  /** Throws NOT_FOUND for an unknown deployment or a hash that it did not announce, UPLOAD_REFUSED for wrong content. */
  putBlob(appId: string, deploymentId: string, sha256: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * Runs the deploy to its end. What is wrong before it begins is thrown (NOT_FOUND, UPLOAD_INCOMPLETE, DEPLOY_CONFLICT);
   * after that every outcome is an event, the last one `done` or `failed`. Abort undoes it unless it is done.
   */
  finish(
    appId: string,
    deploymentId: string,
    options: { readonly onEvent: (event: DeployEvent) => void; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** People who sign in to apps. */
export interface AccountsApi {
  list(): Promise<readonly AccountView[]>;
  /** Throws ACCOUNT_INVALID, ACCOUNT_EXISTS. */
  add(request: AccountRequest): Promise<AccountView>;
  /** Throws ACCOUNT_INVALID, ACCOUNT_NOT_FOUND. */
  change(email: string, change: AccountChange): Promise<AccountView>;
  /** Throws ACCOUNT_NOT_FOUND. */
  delete(email: string): Promise<void>;
}

/** The data of one app. Every call may throw DS_INVALID, DS_LIMIT, DS_OVERLOADED, RPC_UNAVAILABLE. */
export interface DatastoreApi {
  /** Those that have entities; '' is the default one. */
  namespaces(appId: string): Promise<readonly string[]>;
  kinds(appId: string, namespace: string): Promise<readonly KindView[]>;
  /** One page. Throws GQL_SYNTAX and GQL_BIND with line, column and a caret in the message, DS_NEED_INDEX, DEADLINE_EXCEEDED. */
  query(appId: string, request: GqlRequestView): Promise<GqlAnswerView>;
  /** `id` as EntityView has it. Throws NOT_FOUND, DS_FORBIDDEN. */
  entity(appId: string, id: string): Promise<EntityView>;
  /** Throws DS_ALREADY_EXISTS, DS_NOT_FOUND, DS_TX_CONFLICT, DS_FORBIDDEN. */
  write(appId: string, write: EntityWrite): Promise<EntityView>;
  /** Of no effect when it is not there. Throws DS_FORBIDDEN. */
  delete(appId: string, id: string): Promise<void>;
}

/** Composite indexes. Every call may throw DS_OVERLOADED, RPC_UNAVAILABLE. */
export interface IndexesApi {
  list(appId: string): Promise<readonly IndexView[]>;
  /** Those of `definitions`, made if they were missing. Throws DS_INVALID, DS_LIMIT. */
  create(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly IndexView[]>;
  /** Throws DS_INDEX_NOT_FOUND. */
  delete(appId: string, id: number): Promise<void>;
}

/** What an app has chosen for its data. */
export interface DatastoreSettingsApi {
  settings(appId: string): Promise<DatastoreSettingsView>;
  /** Takes effect for transactions that begin afterwards. */
  change(appId: string, change: DatastoreSettingsChange): Promise<DatastoreSettingsView>;
}

/** Who reaches an app's data from outside. Every call may throw APP_NOT_FOUND, RPC_UNAVAILABLE. */
export interface DatastoreTokensApi {
  /** Oldest first. */
  list(appId: string): Promise<readonly DatastoreTokenView[]>;
  /** Good at once. Throws DS_LIMIT. */
  create(appId: string, request: DatastoreTokenRequest): Promise<DatastoreTokenCreated>;
  /** No call is taken with it any more once this has resolved. Throws NOT_FOUND. */
  delete(appId: string, id: string): Promise<void>;
}

/** Where data lies, of all apps. */
export interface TabletsApi {
  /** Throws RPC_UNAVAILABLE. */
  tablets(query: TabletQuery): Promise<TabletsView>;
}

/** Whether rows fit together. */
export interface IntegrityApi {
  /**
   * Walks all rows of one app, or of all. What is wrong before it begins is thrown (RPC_UNAVAILABLE); after that every outcome
   * is an event, the last one `done` or `failed`.
   */
  check(appId: string | undefined, request: CheckRequest, options: { readonly signal: AbortSignal }): AsyncIterable<CheckEvent>;
}

export interface ImportOptions {
  readonly mode: ImportMode;
  /** The app whose keys become those of the app that is imported to. */
  readonly from?: string;
  /** Whether to go on behind lines that cannot be written. */
  readonly skip: boolean;
  readonly signal: AbortSignal;
}

/** An app's entities out and in. */
export interface TransferApi {
  /**
   * Lines page by page. What fails before the first page is thrown (DS_TOO_OLD, DS_INVALID, RPC_UNAVAILABLE); after that every
   * outcome is a line, the last one `end` or `failed`.
   */
  export(appId: string, request: ExportRequest, options: { readonly signal: AbortSignal }): AsyncIterable<readonly ExportLine[]>;
  /** Reads `body` as far as it can write it, no faster. Throws what has nothing to do with a line (RPC_UNAVAILABLE, DS_CLOSED). */
  import(appId: string, body: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportResult>;
}

/** Which entities expire. Every call may throw RPC_UNAVAILABLE. */
export interface TtlApi {
  policies(appId: string): Promise<readonly TtlPolicyView[]>;
  /** In the place of the kind's earlier one. Throws DS_INVALID, DS_LIMIT. */
  set(appId: string, policy: TtlPolicyView): Promise<TtlPolicyAnswer>;
  /** Throws NOT_FOUND when the kind has none. */
  clear(appId: string, kind: string): Promise<void>;
}

/** How the platform is. Neither throws: a role that does not answer is said to be down. */
export interface ObservationApi {
  /** In Prometheus' text format 0.0.4. */
  metrics(): Promise<string>;
  /** In the order of ROLES. */
  roles(): Promise<readonly RoleView[]>;
}

/** What rows of a log are wanted: sdk/contract/admin/logs.ts says what each parameter means. */
export interface LogQuery {
  /** Newest rows to begin with, 0 … logReadRowsMax. */
  readonly lines: number;
  /** Whether to go on with rows as they come, until the signal aborts. */
  readonly follow: boolean;
  /** Whether the reader knows what to do with marks between rows. */
  readonly marks: boolean;
  readonly source: 'app' | 'request' | 'all';
  readonly service?: string;
  readonly version?: string;
  readonly instance?: string;
  /** Id of a request, or of its trace. */
  readonly request?: string;
  /** This one and above. */
  readonly severity?: LogSeverity;
  /** Only rows in whose text and fields, or method, target, status, code or id of a request, this stands; in any case of letters. */
  readonly text?: string;
  /** The same as a regular expression. */
  readonly regex?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly status?: string;
  readonly path?: string;
  readonly method?: string;
  readonly latencyMsMin?: number;
  readonly before?: string;
  readonly after?: string;
}

export interface LogApi {
  /** Rows by time, oldest first, with marks where asked for. Throws INVALID_ARGUMENT at once. */
  read(appId: string, query: LogQuery, options: { readonly signal: AbortSignal }): AsyncIterable<LogLine>;
}

/** An app's cache. Any call may throw CACHE_KEY_INVALID; keys longer than 250 bytes are hashed as the SDK does. */
export interface MemcacheApi {
  statistics(appId: string): Promise<MemcacheStatsView>;
  /** Throws NOT_FOUND. */
  entry(appId: string, namespace: string, key: string): Promise<MemcacheEntryView>;
  /** Stores text. Throws CACHE_VALUE_TOO_LARGE, and NOT_FOUND when it has expired already. */
  setEntry(appId: string, entry: MemcacheEntryWrite): Promise<MemcacheEntryView>;
  deleteEntry(appId: string, namespace: string, key: string): Promise<void>;
  flush(appId: string): Promise<void>;
}

/** Push queues and cron jobs. Every call may throw APP_NOT_FOUND, QUEUE_NOT_FOUND, RPC_UNAVAILABLE. */
export interface TasksApi {
  queues(appId: string): Promise<readonly QueueView[]>;
  /** The next ones by ETA. */
  tasks(appId: string, queue: string, limit: number): Promise<readonly TaskView[]>;
  /** Pauses it, or lets it go on. */
  pause(appId: string, queue: string, isPaused: boolean): Promise<QueueView>;
  /** How many tasks there were. */
  purge(appId: string, queue: string): Promise<number>;
  /** Throws TASK_NOT_FOUND. */
  runTask(appId: string, queue: string, task: string): Promise<void>;
  /** Throws TASK_NOT_FOUND. */
  deleteTask(appId: string, queue: string, task: string): Promise<void>;
  cronJobs(appId: string): Promise<readonly CronJobView[]>;
  /** Throws CRON_JOB_NOT_FOUND. */
  runCronJob(appId: string, jobId: string): Promise<CronJobView>;
}

/** What apps use, may use and cost. Every call may throw APP_NOT_FOUND, RPC_UNAVAILABLE. */
export interface UsageApi {
  metrics(appId: string, options: { readonly minutes: number }): Promise<MetricsView>;
  quotas(appId: string): Promise<QuotasView>;
  usage(appId: string, options: { readonly days: number }): Promise<UsageView>;
  billing(appId: string): Promise<BillingView>;
  /** In force at once. Throws BUDGET_INVALID. */
  changeBilling(appId: string, change: BillingChange): Promise<BillingView>;
  /** Of today, without `day`: then it is not final. */
  invoice(appId: string, day: string | undefined): Promise<InvoiceView>;
}

/** Mail that an app sent. All but `list` throw MAIL_NOT_FOUND. */
export interface MailApi {
  /** Newest first. */
  list(appId: string, limit: number): Promise<readonly MailSummaryView[]>;
  show(appId: string, id: string): Promise<MailView>;
  /** As it goes out, RFC 5322. */
  raw(appId: string, id: string): Promise<Uint8Array>;
  /** `index` counts the view's files from 0. */
  attachment(appId: string, id: string, index: number): Promise<{ readonly name: string; readonly bytes: Uint8Array }>;
  /** A message that waits is not delivered any more. */
  delete(appId: string, id: string): Promise<void>;
}
