// The server that a URL names: how to connect to it, and what to call it where people read.
import pg from 'pg';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

export type Client = pg.ClientBase;

export class PostgresServer {
  /** HOST:PORT/DATABASE, without user and password. */
  readonly name: string;
  readonly #config: pg.ClientConfig;

  /** Throws USAGE for what is not postgres://USER:PASSWORD@HOST:PORT/DATABASE; the message does not repeat it. */
  constructor(url: string) {
    if (!/^postgres(ql)?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) {
      throw new PlatformError('USAGE', 'the store is named as postgres://USER:PASSWORD@HOST:PORT/DATABASE');
    }
    const { hostname, port, pathname } = new URL(url);
    this.name = `${hostname || 'localhost'}:${port || '5432'}${pathname}`;
    this.#config = {
      connectionString: url,
      application_name: 'appengine',
      keepAlive: true,
      // Statements are sent without waiting for the answers before them, so a transaction is one round trip.
      pipeline: true,
      connectionTimeoutMillis: LIMITS.postgresWaitMs,
      query_timeout: LIMITS.postgresStatementMs,
    };
  }

  /** A connection that nobody shares. The caller ends it. Throws what the driver throws. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#config);
    // A broken connection also fails its next statement, which is where it is dealt with.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
  }

  pool(connectionsMax: number): pg.Pool {
    const pool = new pg.Pool({ ...this.#config, max: connectionsMax, allowExitOnIdle: true });
    pool.on('error', () => undefined);
    pool.on('connect', (client) => {
      client.on('error', () => undefined);
    });
    return pool;
  }
}
