// The adapter for servers that speak PostgreSQL's protocol: PostgreSQL, CockroachDB, YugabyteDB. One process writes, held by a lease;
// conflicts are found in that process by GroupCommit, as with level, and each of its batches is one serialisable transaction.
// Must use only statements that the three share: no advisory locks, no LISTEN, no extensions, no server-side cursors.
// Read next: postgres-place.ts (the table), postgres-lease.ts (who writes), postgres-snapshot.ts (who reads what).
import { assert } from '../../sdk/support/assert.ts';
import { type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { GroupCommit, type Write } from './group-commit.ts';
import { OptimisticTransaction } from './optimistic-transaction.ts';
import {
  type BeginOptions,
  type KeyRange,
  type RowScan,
  type ScanOptions,
  type Store,
  type StoreSnapshot,
  type StoreTransaction,
} from './port.ts';
import { batchStatements } from './postgres-batch.ts';
import { toStoreError, verdictOf } from './postgres-error.ts';
import { PostgresLatest } from './postgres-latest.ts';
import { PostgresLease } from './postgres-lease.ts';
import { PostgresPatience } from './postgres-patience.ts';
import { PostgresPool } from './postgres-pool.ts';
import { type Client, PostgresServer } from './postgres-server.ts';
import { PostgresSession } from './postgres-session.ts';
import { PostgresSnapshot } from './postgres-snapshot.ts';

export interface PostgresStoreOptions {
  /** postgres://USER:PASSWORD@HOST:PORT/DATABASE, with TLS by ?sslmode=. */
  readonly url: string;
  /** Who this is: after a crash, whoever has the same name takes over at once, anybody else when the lease has ended. */
  readonly holder: string;
}

/** What exists while the store is open. */
interface Connections {
  readonly session: PostgresSession;
  readonly lease: PostgresLease;
  /** One for each kind of borrower, so that none can starve another. */
  readonly pools: { readonly latest: PostgresPool; readonly snapshots: PostgresPool; readonly transactions: PostgresPool };
  readonly latest: PostgresLatest;
  readonly snapshots: Set<PostgresSnapshot>;
}

export class PostgresStore implements Store {
  readonly #server: PostgresServer;
  readonly #holder: string;
  readonly #timers: Timers;
  readonly #patience: PostgresPatience;
  readonly #commits: GroupCommit;
  #connections: Connections | undefined;

  /** Throws USAGE for a URL that is none. */
  constructor(clock: Clock, timers: Timers, random: Random, { url, holder }: PostgresStoreOptions) {
    this.#server = new PostgresServer(url);
    this.#holder = holder;
    this.#timers = timers;
    this.#patience = new PostgresPatience(clock, timers, random);
    this.#commits = new GroupCommit((groups) => this.#write(groups));
  }

  /** Throws STORE_HELD, STORE_UNREACHABLE, STORE_REFUSED, STORE_FORMAT. */
  async start(): Promise<void> {
    assert(this.#connections === undefined, 'a store is started once before it is closed');
    const session = new PostgresSession(this.#server, this.#patience);
    const lease = new PostgresLease(this.#server, session, this.#timers, this.#holder, (error) => {
      this.#commits.fail(error);
    });
    try {
      await lease.take();
    } catch (error) {
      await session.close();
      throw toStoreError(error, this.#server.name);
    }
    const pools = {
      latest: new PostgresPool(this.#server, LIMITS.postgresReadersMax),
      snapshots: new PostgresPool(this.#server, LIMITS.postgresSnapshotsMax),
      transactions: new PostgresPool(this.#server, LIMITS.postgresTransactionsMax),
    };
    const latest = new PostgresLatest(pools.latest, LIMITS.postgresReadersMax, this.#patience, () => {
      if (this.#connections?.latest !== latest) throw closed();
    });
    this.#connections = { session, lease, pools, latest, snapshots: new Set() };
    this.#commits.reset();
  }

  async close(): Promise<void> {
    await this.#commits.close();
    const connections = this.#connections;
    this.#connections = undefined;
    if (!connections) return;
    const { pools, snapshots, lease, session } = connections;
    await Promise.all([...snapshots].map((snapshot) => snapshot.close()));
    await Promise.all(Object.values(pools).map((pool) => pool.close()));
    await lease.close();
    await session.close();
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#open().latest.get(key);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return this.#open().latest.getMany(keys);
  }

  scan(range: KeyRange, options?: ScanOptions): RowScan {
    return this.#open().latest.scan(range, options);
  }

  begin({ reads = 'snapshot' }: BeginOptions = {}): StoreTransaction {
    const { latest, pools } = this.#open();
    const start = this.#commits.begin();
    return new OptimisticTransaction(this.#commits, start, reads === 'latest' ? latest : this.#snapshot(pools.transactions));
  }

  snapshot(): StoreSnapshot {
    return this.#snapshot(this.#open().pools.snapshots);
  }

  #snapshot(pool: PostgresPool): PostgresSnapshot {
    const { snapshots } = this.#open();
    const snapshot = new PostgresSnapshot(this.#server, pool, this.#patience, (closing) => snapshots.delete(closing));
    snapshots.add(snapshot);
    return snapshot;
  }

  /**
   * Writes a batch and waits until it is durable. Tried again after a lost connection too, when nobody knows whether it was written:
   * the same rows once more change nothing, and nobody else can have written in between.
   */
  async #write(groups: readonly (readonly Write[])[]): Promise<void> {
    const { session, lease } = this.#open();
    const statements = [lease.fence(), ...batchStatements(groups)];
    try {
      await session.run(LIMITS.postgresRetryMs, (client) => commit(client, statements));
    } catch (error) {
      throw verdictOf(error) === 'fenced' ? lease.lost(error) : toStoreError(error, this.#server.name);
    }
  }

  #open(): Connections {
    if (!this.#connections) throw closed();
    return this.#connections;
  }
}

/** One round trip: all is sent before the first answer is there. What follows a failed statement fails, and COMMIT rolls back. */
async function commit(client: Client, statements: ReturnType<typeof batchStatements>): Promise<void> {
  const outcomes = await Promise.allSettled([
    client.query('BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE'),
    ...statements.map(({ values, ...statement }) => client.query({ ...statement, values: [...values] })),
    client.query('COMMIT'),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  const last = outcomes.at(-1);
  assert(last?.status === 'fulfilled' && last.value.command === 'COMMIT', 'a transaction without a failure commits');
}

function closed(): PlatformError {
  return new PlatformError('DS_CLOSED', 'the store is closed');
}
