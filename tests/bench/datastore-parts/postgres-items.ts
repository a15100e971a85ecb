// The peer that teams would take instead: a PostgreSQL table with the same entities as JSONB and an index per indexed
// property, one connection per client, every commit on disk before it is acknowledged.
import pg from 'pg';
import { PostgresServer } from '../../contract/postgres-server.ts';
import { type Item, KIND } from './items.ts';

const TABLE = `CREATE TABLE ${KIND} (name text PRIMARY KEY COLLATE "C", data jsonb NOT NULL)`;
const INDEXES = [`CREATE INDEX ON ${KIND} ((data->>'owner'))`, `CREATE INDEX ON ${KIND} (((data->>'rank')::bigint))`];
const UPSERT = { name: 'put', text: `INSERT INTO ${KIND} VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET data = EXCLUDED.data` };
const GET = { name: 'get', text: `SELECT data FROM ${KIND} WHERE name = $1` };
const RANGE = { name: 'range', text: `SELECT name, data FROM ${KIND} WHERE name >= $1 ORDER BY name LIMIT $2` };
const OF_OWNER = { name: 'owner', text: `SELECT name, data FROM ${KIND} WHERE data->>'owner' = $1 LIMIT $2` };
const LOCK = { name: 'lock', text: `SELECT data FROM ${KIND} WHERE name = $1 FOR UPDATE` };
const REPLACE = { name: 'replace', text: `UPDATE ${KIND} SET data = $2 WHERE name = $1` };

export class PostgresItems {
  readonly #server: PostgresServer;
  readonly #clients: pg.Client[] = [];

  private constructor(server: PostgresServer) {
    this.#server = server;
  }

  static async start(): Promise<PostgresItems> {
    const server = await PostgresServer.start({ fsync: true, settings: { shared_buffers: '256MB', max_connections: '80' } });
    const items = new PostgresItems(server);
    const client = await items.#client(0);
    for (const statement of [TABLE, ...INDEXES]) await client.query(statement);
    return items;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
    await this.#server.stop();
  }

  /** Connects the first `count` clients, so that no measurement pays for it. */
  async connect(count: number): Promise<void> {
    for (let at = 0; at < count; at++) await this.#client(at);
  }

  async put(client: number, { name, owner, id, text }: Item): Promise<void> {
    await this.#connected(client).query({ ...UPSERT, values: [name, JSON.stringify({ owner, rank: id, text })] });
  }

  async get(client: number, name: string): Promise<void> {
    await this.#connected(client).query({ ...GET, values: [name] });
  }

  async range(client: number, from: string, count: number): Promise<void> {
    await this.#connected(client).query({ ...RANGE, values: [from, count] });
  }

  async ofOwner(client: number, owner: string, count: number): Promise<void> {
    await this.#connected(client).query({ ...OF_OWNER, values: [owner, count] });
  }

  /** Reads the row under a lock and writes it again. */
  async rewrite(client: number, name: string): Promise<void> {
    const connection = this.#connected(client);
    await connection.query('BEGIN');
    const { rows } = await connection.query<{ data: object }>({ ...LOCK, values: [name] });
    await connection.query({ ...REPLACE, values: [name, JSON.stringify(rows[0]?.data ?? {})] });
    await connection.query('COMMIT');
  }

  #connected(at: number): pg.Client {
    const client = this.#clients[at];
    if (!client) throw new Error(`client ${at} is not connected`);
    return client;
  }

  async #client(at: number): Promise<pg.Client> {
    const known = this.#clients[at];
    if (known) return known;
    const client = new pg.Client({ connectionString: this.#server.url });
    await client.connect();
    this.#clients[at] = client;
    return client;
  }
}
