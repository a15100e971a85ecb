// A bounded number of connections that are lent one borrower at a time. One that broke is not lent again.
import type pg from 'pg';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { toStoreError } from './postgres-error.ts';
import { type Client, type PostgresServer } from './postgres-server.ts';

export interface Loan {
  readonly client: Client;
  /** Gives the connection back; with an error, to be closed instead of lent again. Once. */
  readonly release: (error?: unknown) => void;
}

/** What the driver's pool says when all connections were in use for too long. */
const POOL_IS_BUSY = 'timeout exceeded when trying to connect';

export class PostgresPool {
  readonly #server: PostgresServer;
  readonly #connectionsMax: number;
  readonly #pool: pg.Pool;

  constructor(server: PostgresServer, connectionsMax: number) {
    this.#server = server;
    this.#connectionsMax = connectionsMax;
    this.#pool = server.pool(connectionsMax);
  }

  /** Throws DS_OVERLOADED when none came free in time, STORE_UNREACHABLE, STORE_REFUSED. */
  async borrow(): Promise<Loan> {
    try {
      const client = await this.#pool.connect();
      return {
        client,
        release: (error) => {
          client.release(error !== undefined);
        },
      };
    } catch (error) {
      if (error instanceof Error && error.message === POOL_IS_BUSY) {
        const reason = `all ${this.#connectionsMax} connections to ${this.#server.name} were in use for ${LIMITS.postgresWaitMs} ms`;
        throw new PlatformError('DS_OVERLOADED', reason, { cause: error });
      }
      throw toStoreError(error, this.#server.name);
    }
  }

  /** Lends for the time of `action`. Throws what `borrow` throws, and the server's errors as PlatformErrors. */
  async with<T>(action: (client: Client) => Promise<T>): Promise<T> {
    const { client, release } = await this.borrow();
    try {
      const result = await action(client);
      release();
      return result;
    } catch (error) {
      release(error);
      throw toStoreError(error, this.#server.name);
    }
  }

  /** Waits for the loans, then closes every connection. */
  async close(): Promise<void> {
    await this.#pool.end();
  }
}
