// The storage contract on a real PostgreSQL server, and what only an adapter with a server behind it has to do.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../datastore/storage/postgres-store.ts';
import { type Clock, systemClock, systemRandom, systemTimers, type Timers } from '../../sdk/support/clock.ts';
import { PostgresServer, postgresSkip } from './postgres-server.ts';
import { storageContract } from './storage-contract.ts';

const skip = postgresSkip();
const bytes = (text: string): Buffer => Buffer.from(text);

/** Whatever is waited for takes ten seconds, so that nothing is tried for long. */
function impatientClock(): Clock {
  let nowMs = 0;
  return { nowMs: () => systemClock.nowMs(), monotonicMs: () => (nowMs += 10_000) };
}

describe.skipIf(skip !== undefined)('PostgreSQL', () => {
  let server: PostgresServer;
  const opened: PostgresStore[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  function newStore(url: string, { holder = 'test', clock = systemClock, timers = systemTimers } = {}): PostgresStore {
    const store = new PostgresStore(clock, timers, systemRandom, { url, holder });
    opened.push(store);
    return store;
  }

  async function write(store: PostgresStore, key: string, value = '1'): Promise<void> {
    const transaction = store.begin();
    transaction.put(bytes(key), bytes(value));
    await transaction.commit();
  }

  /** Runs PL/pgSQL before every row that is put. */
  async function onPut(url: string, body: string): Promise<void> {
    await server.query(`CREATE FUNCTION on_put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NEW; END $$`, url);
    await server.query('CREATE TRIGGER on_put BEFORE INSERT ON appengine_rows FOR EACH ROW EXECUTE FUNCTION on_put()', url);
  }

  storageContract('postgres', async () => ({ store: newStore(await server.createSchema()), dispose: () => Promise.resolve() }));

  describe('who may write', () => {
    it('is one process at a time; the next one as soon as that has closed', async () => {
      const url = await server.createSchema();
      const [first, second] = [newStore(url), newStore(url, { holder: 'other' })];
      await first.start();
      await write(first, 'a');
      await expect(second.start()).rejects.toMatchObject({ code: 'STORE_HELD', message: expect.stringMatching(/ends in 1[0-5] s$/) });
      await first.close();
      await second.start();
      expect(await second.get(bytes('a'))).toEqual(bytes('1'));
    });

    it('is whoever took over when the lease had ended; the one before cannot write any more', async () => {
      const url = await server.createSchema();
      const [first, second] = [newStore(url), newStore(url, { holder: 'other' })];
      await first.start();
      await write(first, 'a');
      const late = first.begin();
      late.put(bytes('a'), bytes('late'));
      await server.query(`UPDATE appengine_store SET expires = now()`, url);
      await second.start();
      await write(second, 'b');
      await expect(late.commit()).rejects.toMatchObject({ code: 'DS_CLOSED', cause: { code: 'STORE_HELD' } });
      await expect(write(first, 'c')).rejects.toMatchObject({ code: 'DS_CLOSED', cause: { code: 'STORE_HELD' } });
      expect(await second.getMany(['a', 'b', 'c'].map(bytes))).toEqual([bytes('1'), bytes('1'), undefined]);
      await write(second, 'd');
    });

    it('is at once whoever has the same name, as after a crash', async () => {
      const url = await server.createSchema();
      const [crashed, next] = [newStore(url), newStore(url)];
      await crashed.start();
      await next.start();
      await write(next, 'a');
      await expect(write(crashed, 'a', '2')).rejects.toMatchObject({ code: 'DS_CLOSED' });
      expect(await next.get(bytes('a'))).toEqual(bytes('1'));
    });

    it('stays so while the lease is renewed, and ends without a write when it was taken', async () => {
      const url = await server.createSchema();
      let tick = (): void => undefined;
      const timers: Timers = { ...systemTimers, every: (_ms, action) => ((tick = action), () => undefined) };
      const store = newStore(url, { timers });
      await store.start();
      const expires = async (): Promise<unknown> => (await server.query('SELECT expires FROM appengine_store', url))[0]?.expires;
      const before = await expires();
      tick();
      // Writes take their turn behind the renewal.
      await write(store, 'a');
      expect(Number(await expires())).toBeGreaterThan(Number(before));
      await server.query(`UPDATE appengine_store SET epoch = epoch + 1, holder = 'other'`, url);
      tick();
      await expect.poll(() => write(store, 'b').catch((error: unknown) => (error as Error).cause)).toMatchObject({ code: 'STORE_HELD' });
    });
  });

  describe('a commit', () => {
    it('is serialisable and waits for the disk, whatever the database is set to', async () => {
      const database = await server.createDatabase();
      await server.query(`ALTER DATABASE ${new URL(database).pathname.slice(1)} SET synchronous_commit = off`);
      const store = newStore(database);
      await store.start();
      await server.query('CREATE TABLE seen (isolation text, sync text)', database);
      const body = `INSERT INTO seen VALUES (current_setting('transaction_isolation'), current_setting('synchronous_commit'));`;
      await onPut(database, body);
      await write(store, 'a');
      expect(await server.query('SELECT isolation, sync FROM seen', database)).toEqual([{ isolation: 'serializable', sync: 'on' }]);
    });

    it.each(['40001', '40P01', '57P01'])('is made again after a failure %s, and then takes effect once', async (state) => {
      const url = await server.createSchema();
      const store = newStore(url);
      await store.start();
      await server.query('CREATE SEQUENCE tries', url);
      await onPut(url, `IF nextval('tries') <= 3 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '${state}'; END IF;`);
      await Promise.all([write(store, 'a'), write(store, 'b')]);
      expect(await store.getMany(['a', 'b'].map(bytes))).toEqual([bytes('1'), bytes('1')]);
    });

    it('that cannot be written stops the store until it is started again; reads go on', async () => {
      const url = await server.createSchema();
      const store = newStore(url);
      await store.start();
      await write(store, 'a');
      await onPut(url, `RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100';`);
      await expect(write(store, 'b')).rejects.toMatchObject({ code: 'DS_CLOSED', cause: { code: 'INTERNAL' } });
      await server.query('DROP TRIGGER on_put ON appengine_rows', url);
      await expect(write(store, 'c')).rejects.toMatchObject({ code: 'DS_CLOSED' });
      expect(await store.get(bytes('a'))).toEqual(bytes('1'));
      await store.close();
      await store.start();
      await write(store, 'd');
      expect(await store.getMany(['b', 'c', 'd'].map(bytes))).toEqual([undefined, undefined, bytes('1')]);
    });

    it('leaves nothing of long keys behind when they are deleted', async () => {
      const url = await server.createSchema();
      const store = newStore(url);
      await store.start();
      const keys = ['p', 'q'].flatMap((letter) => [1_999, 2_000, 2_001, 4_000, 9_000].map((length) => letter.repeat(length)));
      const change = async (action: (transaction: ReturnType<PostgresStore['begin']>, key: Buffer) => void, some = keys): Promise<void> => {
        const transaction = store.begin();
        for (const key of some) action(transaction, bytes(key));
        await transaction.commit();
      };
      await change((transaction, key) => transaction.put(key, key));
      await change((transaction, key) => transaction.delete(key), keys.slice(0, 4));
      const scan = store.scan({ from: Buffer.alloc(0), to: Buffer.alloc(9_001, 0xff) }, { keysOnly: true });
      const left: string[] = [];
      for (let rows = await scan.next(3); rows.length > 0; rows = await scan.next(3)) left.push(...rows.map(({ key }) => key.toString()));
      expect(left).toEqual(keys.slice(4));
      await change((transaction, key) => transaction.delete(key));
      expect(await server.query('SELECT count(*)::int AS count FROM appengine_rows', url)).toEqual([{ count: 0 }]);
    });
  });

  it('reads a range by its index, however much stands beside it', async () => {
    const url = await server.createSchema();
    const store = newStore(url);
    await store.start();
    await server.query(
      `INSERT INTO appengine_rows SELECT '', convert_to('other/' || lpad(n::text, 6, '0'), 'UTF8'), 'v' FROM generate_series(1, 50000) AS n`,
      url,
    );
    await write(store, 'mine/1');
    await server.query('ANALYZE appengine_rows', url);
    const blocks = async (): Promise<number> => {
      const [row] = await server.query(
        `SELECT pg_stat_clear_snapshot(), (heap_blks_hit + idx_blks_hit + heap_blks_read + idx_blks_read)::int AS blocks
         FROM pg_statio_user_tables WHERE schemaname = current_schema() AND relname = 'appengine_rows'`,
        url,
      );
      return Number(row?.blocks);
    };
    await store.close();
    const before = await blocks();
    await store.start();
    for (const direction of ['forward', 'backward'] as const) {
      const scan = store.scan({ from: bytes('mine/'), to: bytes('mine0') }, { direction });
      expect((await scan.next(500)).map(({ key }) => key.toString())).toEqual(['mine/1']);
      const many = store.scan({ from: bytes('other/'), to: bytes('other0') }, { direction });
      expect(await many.next(20)).toHaveLength(20);
    }
    expect(await store.getMany([bytes('mine/1'), bytes('other/000500')])).toEqual([bytes('1'), bytes('v')]);
    // The server counts a connection's reads when that ends.
    await store.close();
    expect((await blocks()) - before).toBeLessThan(60);
  });

  describe('starting', () => {
    it('refuses tables of another format', async () => {
      const url = await server.createSchema();
      const store = newStore(url);
      await store.start();
      await store.close();
      await server.query('UPDATE appengine_store SET format = 2', url);
      await expect(store.start()).rejects.toMatchObject({ code: 'STORE_FORMAT', message: expect.stringContaining('has format 2') });
    });

    it('needs no right to make tables once they are there', async () => {
      const url = await server.createDatabase();
      const store = newStore(url);
      await store.start();
      await store.close();
      await server.query(`CREATE ROLE modest LOGIN PASSWORD 'modest'; GRANT ALL ON appengine_rows, appengine_store TO modest`, url);
      const modest = newStore(url.replace(/\/\/[^@]+@/, '//modest:modest@'));
      await modest.start();
      await write(modest, 'a');
    });

    it.each([
      ['a wrong password', (url: string) => url.replace(/:[0-9a-f]{32}@/, ':S3cret@'), 'STORE_REFUSED'],
      ['an unknown database', (url: string) => url.replace('/postgres?', '/nowhere?'), 'STORE_REFUSED'],
      ['TLS where there is none', (url: string) => `${url}&sslmode=verify-full`, 'STORE_REFUSED'],
      ['a port where nothing listens', (url: string) => url.replace(/:\d+\//, ':1/'), 'STORE_UNREACHABLE'],
    ])('says so of %s, without the password', async (_what, urlOf, code) => {
      const url = urlOf(await server.createSchema());
      const store = newStore(url, { clock: impatientClock() });
      const error: unknown = await store.start().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code, message: expect.stringContaining('127.0.0.1:') });
      const { password } = new URL(url);
      for (let at: unknown = error; at instanceof Error; at = at.cause) {
        expect(JSON.stringify([at.message, at.stack, Object.entries(at)])).not.toContain(password);
      }
    });

    it('refuses what is no URL of such a server, without repeating it', () => {
      for (const url of ['mysql://u:S3cret@h/d', 'u:S3cret@h', 'postgres//u:S3cret@h']) {
        expect(() => newStore(url)).toThrow(expect.objectContaining({ code: 'USAGE' }));
        expect(() => newStore(url)).not.toThrow(/S3cret/);
      }
    });
  });
});
