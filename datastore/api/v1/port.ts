// The public Cloud Datastore v1 API, google.datastore.v1.Datastore: what its transports and its methods agree on.
// Requests and answers are the bytes of the published messages, whichever way they came (reference, section 1.2).
// Read next: v1-service.ts for the methods.

export const V1_METHODS = [
  'Lookup',
  'RunQuery',
  'RunAggregationQuery',
  'BeginTransaction',
  'Commit',
  'Rollback',
  'AllocateIds',
  'ReserveIds',
] as const;

export type V1Method = (typeof V1_METHODS)[number];

/** Who calls. A connection, a token or a socket decides it; nothing in a request can widen it. */
export interface V1Caller {
  /**
   * The app that the project of a request stands for. Throws V1_PROJECT_FORBIDDEN for one that this caller may not reach, DS_INVALID for
   * what is no project id.
   */
  appOf(projectId: string): string;
  /** Whether what writes, locks or takes ids is refused with V1_READ_ONLY. Absent: it is not. */
  readonly isReadOnly?: boolean;
  /** Aborted when the caller went away or its deadline passed. */
  readonly signal: AbortSignal;
}

export interface V1Service {
  /** The answer's bytes, as one piece. Throws PlatformError alone. */
  call(method: V1Method, request: Buffer, caller: V1Caller): Promise<Buffer>;
}

/** What each call passes, besides its own work: quotas and metering, where there are any. Must be quick. */
export interface CallGuard {
  /** Runs `call`, or throws QUOTA_EXCEEDED or RPC_OVERLOADED instead. */
  around<T>(appId: string, method: V1Method, call: () => Promise<T>): Promise<T>;
  /** After a call that read so many entities, missing and skipped ones included. */
  entitiesRead(appId: string, entities: number): void;
  /** Before a commit that writes more than deletions. Throws QUOTA_EXCEEDED. */
  checkGrowth(appId: string): void;
}
