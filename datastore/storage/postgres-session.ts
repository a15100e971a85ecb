// The one connection that writes: its statements run one after another, and it is made anew when it broke.
import { type PostgresPatience } from './postgres-patience.ts';
import { type Client, type PostgresServer } from './postgres-server.ts';
import type pg from 'pg';

export class PostgresSession {
  readonly #server: PostgresServer;
  readonly #patience: PostgresPatience;
  #client: pg.Client | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(server: PostgresServer, patience: PostgresPatience) {
    this.#server = server;
    this.#patience = patience;
  }

  /**
   * Runs `action` when everything asked for before is done; again after what may pass, for at most `ms`. It must be right to
   * repeat it when nobody knows whether it took effect. Throws the driver's errors.
   */
  run<T>(ms: number, action: (client: Client) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#patience.retry(ms, () => this.#try(action)));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#last;
    await this.#drop();
  }

  async #try<T>(action: (client: Client) => Promise<T>): Promise<T> {
    this.#client ??= await this.#connect();
    try {
      return await action(this.#client);
    } catch (error) {
      // Whatever went wrong, a transaction may be left open on it.
      void this.#drop();
      throw error;
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = await this.#server.connect();
    try {
      // A database may be set not to wait for its disk; an acknowledged write of ours must be there.
      const { rows } = await client.query<[string]>({ text: 'SHOW synchronous_commit', rowMode: 'array' });
      if (rows[0]?.[0] === 'off') await client.query('SET synchronous_commit = on');
      return client;
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}
