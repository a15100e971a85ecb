// Where the accounts of people are kept.

export interface AccountRecord {
  /** Normal form (sdk/contract/email-address.ts); unique. */
  readonly email: string;
  /** Decimal digits; never given to another account, even of the same address. */
  readonly id: string;
  /** As the hash function writes it, with its parameters. */
  readonly passwordHash: string;
  /** Ids of apps; `*` is all of them. */
  readonly adminOf: readonly string[];
  readonly createdAtMs: number;
  /** Grows with each change, which ends the sessions begun before it. */
  readonly epoch: number;
}

/** Durable accounts. Twin: MemoryAccountStore; suite: tests/contract/account-store.test.ts. */
export interface AccountStore {
  /** All accounts, in no order. */
  load(): Promise<readonly AccountRecord[]>;
  /** Durable once resolved. Throws ACCOUNT_EXISTS when the address is taken. */
  insert(account: AccountRecord): Promise<void>;
  /** Durable once resolved. Throws ACCOUNT_NOT_FOUND. */
  update(account: AccountRecord): Promise<void>;
  /** Durable once resolved. Content when it is not there. */
  delete(email: string): Promise<void>;
}
