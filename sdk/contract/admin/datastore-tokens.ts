// Tokens with which clients of the public datastore API reach an app's data, as the console and the command line manage them.
//
//   GET    /apps/A/datastore/tokens                              → { tokens: DatastoreTokenView[] }   oldest first
//   POST   /apps/A/datastore/tokens     DatastoreTokenRequest    → DatastoreTokenCreated              (DS_LIMIT)
//   DELETE /apps/A/datastore/tokens/ID                           → {}                                 (NOT_FOUND)

/** `read-only`: reads, and nothing that writes, locks or takes ids. */
export type DatastoreTokenAccess = 'read-write' | 'read-only';

export interface DatastoreTokenView {
  /** Names it to people; not a secret. */
  readonly id: string;
  /** '' when it was given none. */
  readonly name: string;
  readonly access: DatastoreTokenAccess;
  readonly createdAtMs: number;
  /** Absent: it never expires. */
  readonly expiresAtMs?: number;
  /** To within datastoreTokenUseMs; absent: it was never used, or nobody knows at this moment. */
  readonly usedAtMs?: number;
}

/** What is absent: no name, read-write, never expires. */
export interface DatastoreTokenRequest {
  readonly name?: string;
  readonly access?: DatastoreTokenAccess;
  readonly expiresDays?: number;
}

export interface DatastoreTokenCreated extends DatastoreTokenView {
  /** Said this once; what is kept can prove it and does not know it. */
  readonly secret: string;
}
