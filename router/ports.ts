// The router: from a request's Host header to an instance's socket, and back.
// It must not start instances, read the datastore or know the control plane: it asks through the ports below.
// Read next: route-table.ts (where does a request go), then dispatch.ts (the whole path of one request).
import { type ColdStart, type StartPhases } from '../sdk/contract/cold-start.ts';
import { type DispatchRule } from '../sdk/contract/dispatch-rule.ts';
import { type UsageResource } from '../sdk/contract/usage.ts';

/** Undoes a subscription; a second call does nothing. */
export type Unsubscribe = () => void;

// --- What the router is told: an immutable table, swapped whole -----------------------------------------------------

export interface RouteTableSpec {
  /** Grows with each change; a table with a lower revision than the current one is ignored. */
  readonly revision: number;
  readonly apps: readonly AppRoutes[];
}

export interface AppRoutes {
  readonly appId: string;
  readonly services: readonly ServiceRoutes[];
  /** The app's dispatch.yaml, in its order; absent: none. */
  readonly dispatch?: readonly DispatchRule[];
}

export type ShardBy = 'ip' | 'cookie' | 'random';

export interface ServiceRoutes {
  /** `default` for the app's default service. */
  readonly service: string;
  /** Shares of traffic by version; they add up to 1. Empty when nothing serves. */
  readonly split: Readonly<Record<string, number>>;
  readonly shardBy: ShardBy;
  /** Which of the 1,000 buckets of visitors go where; absent: cut in the order of the versions' names. */
  readonly buckets?: readonly BucketRun[];
  readonly versions: readonly VersionRoutes[];
}

/** So many neighbouring buckets of visitors, all at that version. */
export type BucketRun = readonly [version: string, buckets: number];

export interface VersionRoutes {
  readonly version: string;
  /** Names this deployment of the version for the instance source. */
  readonly deploymentId: string;
  /** Checked in order, first match wins; a request that matches none goes to the app. */
  readonly handlers: readonly HandlerSpec[];
  /** Static files by path within the app (no leading slash, `/` between parts). */
  readonly files: Readonly<Record<string, StaticFile>>;
  /** When the files were deployed, milliseconds since 1970: their Last-Modified. */
  readonly deployedAtMs?: number;
  /** What visitors see instead of the platform's own pages. */
  readonly errorPages?: readonly ErrorPageSpec[];
  /** How long the app may take to answer a request; absent: as long as with automatic scaling. */
  readonly requestDeadlineMs?: number;
}

/** Content in the content-addressed store. */
export interface BlobRef {
  /** Lower-case hex; names the blob, and is the ETag of what is sent from it. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface StaticFile extends BlobRef {
  /** The same content compressed ahead of time; absent where that is not done, does not pay, or is still under way. */
  readonly encodings?: { readonly br?: BlobRef; readonly gzip?: BlobRef };
}

/** A page of `error_handlers`. */
export interface ErrorPageSpec {
  readonly cause: 'default' | 'over_quota' | 'timeout';
  readonly mimeType: string;
  readonly content: Uint8Array;
}

interface HandlerCommon {
  /** A regular expression in App Engine's dialect, implicitly anchored at both ends; a plain prefix for `static-dir`. */
  readonly url: string;
  readonly secure?: 'always' | 'never' | 'optional';
  readonly redirectStatus?: 301 | 302 | 303 | 307;
  /** Who may come here; absent: anybody. */
  readonly login?: 'optional' | 'required' | 'admin';
  /** What a visitor gets who has not signed in and must; absent: the log-in page. */
  readonly authFailAction?: 'redirect' | 'unauthorized';
}

export type HandlerSpec =
  | (HandlerCommon & { readonly kind: 'script' })
  | (HandlerCommon & StaticOptions & { readonly kind: 'static-dir'; /** Directory within the app. */ readonly directory: string })
  | (HandlerCommon &
      StaticOptions & {
        readonly kind: 'static-files';
        /** Path within the app; `\1` stands for a group of `url`. */ readonly path: string;
      });

export interface StaticOptions {
  readonly mimeType?: string;
  /** Seconds of Cache-Control max-age. */
  readonly expirationSeconds: number;
  readonly httpHeaders?: Readonly<Record<string, string>>;
  readonly requireMatchingFile?: boolean;
}

/** Tells the router where requests go. Calls the listener at once when a table is known, then on each change. */
export interface RouteTableSource {
  watch(onTable: (table: RouteTableSpec) => void): Unsubscribe;
}

// --- What the router asks for: an instance ---------------------------------------------------------------------------

export interface InstanceTarget {
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly deploymentId: string;
}

export type LeaseOutcome =
  /** A whole response came. */
  | 'answered'
  /** The connection failed before or during the response. */
  | 'failed'
  /** The client went away. */
  | 'cancelled';

/** One request's place on one instance. */
export interface InstanceLease {
  readonly instanceId: string;
  /** Unix socket on which the instance speaks HTTP/1.1. */
  readonly socketPath: string;
  /** Whether this is the instance's first request. */
  readonly isLoadingRequest: boolean;
  /** Of the loading request: how the instance started. */
  readonly start?: StartPhases | undefined;
  /** Milliseconds that the request waited for this place. */
  readonly pendingMs: number;
  /** Gives the place back; exactly once. */
  release(outcome: LeaseOutcome): void;
}

export interface InstanceSource {
  /**
   * The fullest instance with room, waiting in the bounded hold queue when there is none.
   * Throws ROUTE_QUEUE_FULL, ROUTE_PENDING_TIMEOUT, ROUTE_START_FAILED, ROUTE_NOTHING_SERVING, ROUTE_STARTING,
   * INSTANCE_EXITED, INSTANCE_NEVER_LISTENED, or the signal's reason when the client leaves first.
   */
  acquire(target: InstanceTarget, options: { readonly signal: AbortSignal }): Promise<InstanceLease>;
}

// --- What the router asks for: who signs in -------------------------------------------------------------------------

export interface SignInForm {
  readonly appId: string;
  readonly email: string;
  readonly password: string;
  /** Development only: whether to be an administrator. */
  readonly asAdmin: boolean;
  readonly clientAddress: string;
}

export interface SignedIn {
  readonly userId: string;
  readonly email: string;
  /** Whether an administrator of that app. */
  readonly isAdmin: boolean;
  readonly epoch: number;
}

/** The accounts of people. Twin: MemoryAccounts. */
export interface Accounts {
  /** `development`: any e-mail address signs in, without a password. */
  readonly kind: 'password' | 'development';
  /**
   * Grows with each change of the account, which ends its sessions; undefined when there is no such account.
   * Throws ROUTE_STARTING while the accounts are not known yet.
   */
  epochOf(userId: string): number | undefined;
  /** Throws LOGIN_FAILED, LOGIN_TOO_OFTEN. */
  signIn(form: SignInForm, options: { readonly signal: AbortSignal }): Promise<SignedIn>;
}
// --- What the router asks before that: whether the app may be served -------------------------------------------------

/** A quota of which nothing is left; `reason` says which kind of limit it is. */
export interface ExceededQuota {
  readonly resource: UsageResource;
  /** For people: "CPU time". */
  readonly title: string;
  readonly reason: 'free' | 'limit' | 'budget' | 'minute';
  readonly used: number;
  readonly limit: number;
  /** For people: "6.5 CPU-hours". */
  readonly usedText: string;
  readonly limitText: string;
  readonly resetsAtMs: number;
}

export interface AppGate {
  /** Throws QUOTA_EXCEEDED when the app has nothing left of what serving a request takes. Called for each request. */
  admit(appId: string): void;
}

/** Lets every app pass. */
export const OPEN_APP_GATE: AppGate = { admit: () => undefined };

// --- What the router tells: one row for each request -----------------------------------------------------------------

export interface RequestLogRow {
  readonly requestId: string;
  /** The trace that the client continues, 32 hexadecimal digits; absent: the request's id is its trace's too. */
  readonly traceId?: string;
  /** Wall clock at the first byte of the request, milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Empty, with service and version, when the request reached no app. */
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly instanceId?: string;
  readonly method: string;
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** 101 for a WebSocket; 499 when the client left before the answer. */
  readonly status: number;
  readonly latencyMs: number;
  readonly pendingMs: number;
  readonly isLoadingRequest: boolean;
  /** Of the instance's first request. */
  readonly coldStart?: ColdStart;
  /** Bytes of the bodies; of a WebSocket, all that passed after the upgrade request. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly clientAddress: string;
  readonly userAgent?: string;
  readonly referrer?: string;
  /** The error code when the platform answered instead of the app. */
  readonly errorCode?: string;
  /** Of a task or cron job. */
  readonly queueName?: string;
  readonly taskName?: string;
  /** How often the request was given to another instance. */
  readonly retries: number;
}

/** Takes rows and never blocks: a slow sink drops and counts. */
export interface RequestLogSink {
  write(row: RequestLogRow): void;
}

/** Opens immutable content by hash. */
export interface BlobReader {
  /** Path of a readable regular file with that content. */
  pathOf(sha256: string): string;
}
