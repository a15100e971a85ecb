// The state at one moment: a read-only transaction on a connection of its own, from the first read (or `pinned`) on.
//
// States: new → pinned → closed; new → closed; a broken connection leaves it pinned, and every read fails.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type KeyRange, type RowScan, type ScanOptions, type StoreSnapshot } from './port.ts';
import { toStoreError } from './postgres-error.ts';
import { type PostgresPatience } from './postgres-patience.ts';
import { type Loan, type PostgresPool } from './postgres-pool.ts';
import { readMany } from './postgres-reader.ts';
import { PostgresScan } from './postgres-scan.ts';
import { type Client, type PostgresServer } from './postgres-server.ts';

/** The first statement that reads fixes the state, not the BEGIN. */
const BEGIN = 'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT epoch FROM appengine_store';

export class PostgresSnapshot implements StoreSnapshot {
  readonly #server: PostgresServer;
  readonly #pool: PostgresPool;
  readonly #patience: PostgresPatience;
  readonly #onClose: (snapshot: PostgresSnapshot) => void;
  #loan: Promise<Loan> | undefined;
  #failure: unknown;
  #isClosed = false;

  constructor(server: PostgresServer, pool: PostgresPool, patience: PostgresPatience, onClose: (snapshot: PostgresSnapshot) => void) {
    this.#server = server;
    this.#pool = pool;
    this.#patience = patience;
    this.#onClose = onClose;
  }

  async pinned(): Promise<void> {
    await this.#pin();
  }

  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return this.#run((client) => readMany(client, keys));
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    this.#assertOpen();
    return new PostgresScan((action) => this.#run(action), range, options);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      const loan = await this.#loan?.catch(() => undefined);
      if (!loan) return;
      if (this.#failure === undefined) await loan.client.query('COMMIT').catch((error: unknown) => (this.#failure = error));
      loan.release(this.#failure);
    } finally {
      this.#onClose(this);
    }
  }

  async #run<T>(action: (client: Client) => Promise<T>): Promise<T> {
    const { client } = await this.#pin();
    try {
      return await action(client);
    } catch (error) {
      // The state is gone with its connection, and a failed statement ends its transaction.
      this.#failure ??= error;
      this.#assertOpen();
      throw toStoreError(error, this.#server.name);
    }
  }

  #pin(): Promise<Loan> {
    this.#assertOpen();
    if (this.#failure !== undefined) throw toStoreError(this.#failure, this.#server.name);
    // An idle connection may be broken without anybody knowing; as long as nothing was read, another one will do.
    this.#loan ??= this.#patience.retry(
      LIMITS.postgresWaitMs,
      () => this.#begin(),
      () => this.#isClosed,
    );
    return this.#loan;
  }

  async #begin(): Promise<Loan> {
    const loan = await this.#pool.borrow();
    try {
      await loan.client.query(BEGIN);
      return loan;
    } catch (error) {
      loan.release(error);
      throw toStoreError(error, this.#server.name);
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new PlatformError('DS_CLOSED', 'the snapshot is closed');
  }
}
