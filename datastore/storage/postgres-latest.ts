// Reads of the newest durable state, over a few shared connections. Single reads that wait for one of them join in one statement:
// the busier it is, the more each round trip carries.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type KeyRange, type RowScan, type ScanOptions, type StoreSnapshot } from './port.ts';
import { type PostgresPatience } from './postgres-patience.ts';
import { type PostgresPool } from './postgres-pool.ts';
import { readMany } from './postgres-reader.ts';
import { PostgresScan } from './postgres-scan.ts';
import { type Client } from './postgres-server.ts';

interface Waiting {
  readonly key: Buffer;
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const JOINED_MAX = 64;

/** In the shape of a snapshot, which each read takes anew. */
export class PostgresLatest implements StoreSnapshot {
  readonly #pool: PostgresPool;
  readonly #connectionsMax: number;
  readonly #patience: PostgresPatience;
  readonly #assertOpen: () => void;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(pool: PostgresPool, connectionsMax: number, patience: PostgresPatience, assertOpen: () => void) {
    this.#pool = pool;
    this.#connectionsMax = connectionsMax;
    this.#patience = patience;
    this.#assertOpen = assertOpen;
  }

  pinned(): Promise<void> {
    return Promise.resolve();
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    this.#assertOpen();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#serve());
    });
  }

  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return this.#run((client) => readMany(client, keys));
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    this.#assertOpen();
    return new PostgresScan((action) => this.#run(action), range, options);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #serve(): void {
    while (this.#underWay < this.#connectionsMax && this.#waiting.length > 0) {
      const joined = this.#waiting.slice(0, JOINED_MAX);
      this.#waiting = this.#waiting.slice(JOINED_MAX);
      this.#underWay++;
      void this.#read(joined).finally(() => {
        this.#underWay--;
        this.#serve();
      });
    }
  }

  async #read(joined: readonly Waiting[]): Promise<void> {
    try {
      const values = await this.getMany(joined.map(({ key }) => key));
      joined.forEach(({ resolve }, at) => {
        resolve(values[at]);
      });
    } catch (error) {
      for (const { reject } of joined) reject(error);
    }
  }

  /** A read may be made again, whatever became of it. */
  async #run<T>(action: (client: Client) => Promise<T>): Promise<T> {
    return this.#patience.retry(LIMITS.postgresWaitMs, () => {
      this.#assertOpen();
      return this.#pool.with(action);
    });
  }
}
