// Who may write. One row of the table appengine_store names the holder, until when, and an epoch that grows with each change of
// hands. Every transaction that writes locks the row and finds its own epoch there, or fails: a holder that was thought dead
// cannot write any more once another has taken over, whatever it believes. Time is the server's alone.
//
// States: none → held → none (given up) | lost (another took it, or it could not be renewed and another took it).
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';
import { type Statement } from './postgres-batch.ts';
import { sqlState, verdictOf } from './postgres-error.ts';
import { type Client, type PostgresServer } from './postgres-server.ts';
import { type PostgresSession } from './postgres-session.ts';

/** Of the tables and what is in them. */
const FORMAT_VERSION = 1;
const UNDEFINED_TABLE = '42P01';
const RENEWALS_PER_LEASE = 3;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS appengine_rows (node bytea NOT NULL, rest bytea NOT NULL, value bytea, PRIMARY KEY (node, rest))`,
  `CREATE TABLE IF NOT EXISTS appengine_store (name text PRIMARY KEY, format bigint NOT NULL, epoch bigint NOT NULL,
    holder text NOT NULL, expires timestamptz NOT NULL)`,
  `INSERT INTO appengine_store (name, format, epoch, holder, expires) VALUES ('store', ${FORMAT_VERSION}, 0, '', now())
    ON CONFLICT (name) DO NOTHING`,
];
const FORMAT = `SELECT format FROM appengine_store WHERE name = 'store'`;
const TAKE = `UPDATE appengine_store SET epoch = epoch + 1, holder = $1, expires = now() + $2::bigint * INTERVAL '1 millisecond'
  WHERE name = 'store' AND (holder = $1 OR expires <= now()) RETURNING epoch`;
const REMAINING = `SELECT CAST(CEIL(EXTRACT(EPOCH FROM expires - now())) AS bigint) FROM appengine_store WHERE name = 'store'`;
const RENEW = `UPDATE appengine_store SET expires = now() + $2::bigint * INTERVAL '1 millisecond' WHERE name = 'store' AND epoch = $1`;
const GIVE_UP = `UPDATE appengine_store SET expires = now() WHERE name = 'store' AND epoch = $1`;
/** Divides by zero when the epoch is no longer ours, which ends the transaction even if its COMMIT has been sent already. */
const FENCE = {
  name: 'fence',
  text: `SELECT 1 / COUNT(*) FROM (SELECT epoch FROM appengine_store WHERE name = 'store' AND epoch = $1 FOR UPDATE) AS held`,
};

export class PostgresLease {
  readonly #server: PostgresServer;
  readonly #session: PostgresSession;
  readonly #timers: Timers;
  readonly #holder: string;
  readonly #onLost: (error: PlatformError) => void;
  #epoch: string | undefined;
  #cancel: Cancel = () => undefined;

  /** `onLost` is called when somebody else has the store. */
  constructor(server: PostgresServer, session: PostgresSession, timers: Timers, holder: string, onLost: (error: PlatformError) => void) {
    this.#server = server;
    this.#session = session;
    this.#timers = timers;
    this.#holder = holder;
    this.#onLost = onLost;
  }

  /** Makes the tables where they are missing and takes the lease. Throws STORE_HELD, STORE_FORMAT, and the driver's errors. */
  async take(): Promise<void> {
    this.#epoch = await this.#session.run(LIMITS.postgresWaitMs, async (client) => {
      await this.#checkFormat(client);
      const { rows } = await client.query<[string]>({ text: TAKE, values: [this.#holder, LIMITS.postgresLeaseMs], rowMode: 'array' });
      return rows[0]?.[0] ?? this.#refuse(client);
    });
    this.#cancel = this.#timers.every(LIMITS.postgresLeaseMs / RENEWALS_PER_LEASE, () => void this.#renew());
  }

  /** What every transaction that writes begins with. */
  fence(): Statement {
    return { ...FENCE, values: [this.#epoch ?? '-1'] };
  }

  lost(cause: unknown): PlatformError {
    return new PlatformError('STORE_HELD', `another took over ${this.#server.name} while this one was thought dead`, { cause });
  }

  /** Lets another process take over at once. Never throws: a lease that is not given up ends by itself. */
  async close(): Promise<void> {
    this.#cancel();
    const epoch = this.#epoch;
    this.#epoch = undefined;
    if (epoch === undefined) return;
    await this.#session.run(0, (client) => client.query(GIVE_UP, [epoch])).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === undefined) return;
    try {
      const { rowCount } = await this.#session.run(0, (client) => client.query(RENEW, [epoch, LIMITS.postgresLeaseMs]));
      if (rowCount === 1 || this.#epoch !== epoch) return;
      this.#cancel();
      this.#onLost(this.lost(undefined));
    } catch (error) {
      // The next one may come through, and as long as nobody else takes it, the lease stays ours.
      if (verdictOf(error) === 'fatal') this.#onLost(new PlatformError('INTERNAL', 'the lease cannot be renewed', { cause: error }));
    }
  }

  async #checkFormat(client: Client): Promise<void> {
    const format = await formatOf(client).catch(async (error: unknown) => {
      if (sqlState(error) !== UNDEFINED_TABLE) throw error;
      // One by one: not every server takes them in one transaction. Two processes that do this at once may collide.
      for (const statement of TABLES) await client.query(statement);
      return formatOf(client);
    });
    if (format === String(FORMAT_VERSION)) return;
    throw new PlatformError('STORE_FORMAT', `${this.#server.name} has format ${format ?? 'unknown'}, this release reads ${FORMAT_VERSION}`);
  }

  async #refuse(client: Client): Promise<never> {
    const { rows } = await client.query<[string]>({ text: REMAINING, rowMode: 'array' });
    throw new PlatformError('STORE_HELD', `${this.#server.name}; if that one has died, its lease ends in ${rows[0]?.[0] ?? '?'} s`);
  }
}

async function formatOf(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<[string]>({ text: FORMAT, rowMode: 'array' });
  return rows[0]?.[0];
}
