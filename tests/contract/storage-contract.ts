// What every adapter of the storage port must do. An adapter's test calls `storageContract` with a way to open it.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyAfter, prefixRange } from '../../datastore/storage/key-bytes.ts';
import { type KeyRange, type Row, type RowScan, type Store, type StoreReader } from '../../datastore/storage/port.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Removes what the store left behind. */
  dispose(): Promise<void>;
}

const bytes = (text: string): Buffer => Buffer.from(text);
const ALL: KeyRange = { from: Buffer.alloc(0), to: Buffer.alloc(64, 0xff) };

async function rowsOf(scan: RowScan, chunk = 3): Promise<readonly Row[]> {
  const all: Row[] = [];
  for (let rows = await scan.next(chunk); rows.length > 0; rows = await scan.next(chunk)) all.push(...rows);
  await scan.close();
  return all;
}

async function textsOf(reader: StoreReader, range = ALL, options = {}): Promise<readonly string[]> {
  return (await rowsOf(reader.scan(range, options))).map((row) => `${row.key.toString()}=${row.value.toString()}`);
}

async function write(store: Store, rows: Readonly<Record<string, string | undefined>>): Promise<void> {
  const transaction = store.begin();
  for (const [key, value] of Object.entries(rows)) {
    if (value === undefined) transaction.delete(bytes(key));
    else transaction.put(bytes(key), bytes(value));
  }
  await transaction.commit();
}

const conflict = { code: 'DS_TX_CONFLICT' };
const closed = { code: 'DS_CLOSED' };

export function storageContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`storage contract: ${name}`, () => {
    let underTest: StoreUnderTest;
    let store: Store;

    beforeEach(async () => {
      underTest = await open();
      store = underTest.store;
      await store.start();
    });

    afterEach(async () => {
      await store.close();
      await underTest.dispose();
    });

    describe('reading', () => {
      beforeEach(() => write(store, { a: '1', b: '2', c: '3', d: '4', e: '5' }));

      it('returns undefined for a missing key and keeps the order of getMany', async () => {
        expect(await store.get(bytes('x'))).toBeUndefined();
        const values = await store.getMany([bytes('c'), bytes('x'), bytes('a')]);
        expect(values.map((value) => value?.toString())).toEqual(['3', undefined, '1']);
      });

      it('scans a half-open range forward and backward', async () => {
        const range = { from: bytes('b'), to: bytes('e') };
        expect(await textsOf(store, range)).toEqual(['b=2', 'c=3', 'd=4']);
        expect(await textsOf(store, range, { direction: 'backward' })).toEqual(['d=4', 'c=3', 'b=2']);
      });

      it('stops at the limit, in either direction', async () => {
        expect(await textsOf(store, ALL, { limit: 2 })).toEqual(['a=1', 'b=2']);
        expect(await textsOf(store, ALL, { limit: 2, direction: 'backward' })).toEqual(['e=5', 'd=4']);
      });

      it('leaves out values when asked for keys only', async () => {
        const rows = await rowsOf(store.scan(ALL, { keysOnly: true }));
        expect(rows.map((row) => row.key.toString()).join('')).toBe('abcde');
        expect(rows.every((row) => row.value.length === 0)).toBe(true);
      });

      it('returns no more rows than one call asks for', async () => {
        const scan = store.scan(ALL);
        expect((await scan.next(2)).length).toBeLessThanOrEqual(2);
        await scan.close();
        await scan.close();
      });

      it('orders keys as unsigned bytes, shorter first', async () => {
        const keys = [Buffer.from([0x80]), Buffer.from([0x7f, 0xff]), Buffer.from([0x7f]), Buffer.from([0]), Buffer.from([0, 0])];
        const transaction = store.begin();
        for (const key of keys) transaction.put(key, bytes('v'));
        await transaction.commit();
        const found = (await rowsOf(store.scan({ from: Buffer.from([0]), to: Buffer.from([0xff]) }))).map((row) => row.key.toString('hex'));
        expect(found.filter((key) => !/^6[1-5]$/.test(key))).toEqual(['00', '0000', '7f', '7fff', '80']);
      });

      it('returns values of a megabyte and empty values', async () => {
        const large = Buffer.alloc(1_200_000, 'large ');
        const transaction = store.begin();
        transaction.put(bytes('large'), large);
        transaction.put(bytes('largely empty'), Buffer.alloc(0));
        await transaction.commit();
        expect((await store.get(bytes('large')))?.equals(large)).toBe(true);
        expect((await store.get(bytes('largely empty')))?.length).toBe(0);
        const rows = await rowsOf(store.scan(prefixRange(bytes('large'))));
        expect(rows.map((row) => row.value.length)).toEqual([large.length, 0]);
      });
    });

    describe('transactions', () => {
      it('never see their own writes', async () => {
        await write(store, { a: 'old' });
        const transaction = store.begin();
        transaction.put(bytes('a'), bytes('new'));
        transaction.put(bytes('b'), bytes('new'));
        expect((await transaction.get(bytes('a')))?.toString()).toBe('old');
        expect(await textsOf(transaction)).toEqual(['a=old']);
        await transaction.commit();
        expect(await textsOf(store)).toEqual(['a=new', 'b=new']);
      });

      it('apply the last write of a key', async () => {
        const transaction = store.begin();
        transaction.put(bytes('a'), bytes('1'));
        transaction.delete(bytes('a'));
        transaction.put(bytes('a'), bytes('2'));
        transaction.put(bytes('b'), bytes('1'));
        transaction.delete(bytes('b'));
        await transaction.commit();
        expect(await textsOf(store)).toEqual(['a=2']);
      });

      it('leave no trace when given up', async () => {
        const transaction = store.begin();
        transaction.put(bytes('a'), bytes('1'));
        await transaction.close();
        await transaction.close();
        await expect(transaction.commit()).rejects.toMatchObject(closed);
        expect(await textsOf(store)).toEqual([]);
      });

      it('read the state of their begin although others commit', async () => {
        await write(store, { a: '1', b: '1' });
        const transaction = store.begin();
        const snapshot = store.snapshot();
        const scan = snapshot.scan(ALL);
        await transaction.pinned();
        await snapshot.pinned();
        await write(store, { a: '2', b: undefined, c: '2' });
        expect((await transaction.get(bytes('a')))?.toString()).toBe('1');
        expect(await textsOf(transaction)).toEqual(['a=1', 'b=1']);
        expect((await rowsOf(scan)).length).toBe(2);
        expect(await textsOf(snapshot)).toEqual(['a=1', 'b=1']);
        expect(await textsOf(store)).toEqual(['a=2', 'c=2']);
        await transaction.close();
        await snapshot.close();
        await expect(snapshot.get(bytes('a'))).rejects.toMatchObject(closed);
        await expect(transaction.pinned()).rejects.toMatchObject(closed);
      });

      it('see what was acknowledged before their begin, whenever they first read', async () => {
        const early = store.begin();
        await write(store, { a: '1' });
        const late = store.begin();
        const snapshot = store.snapshot();
        expect((await late.get(bytes('a')))?.toString()).toBe('1');
        expect((await snapshot.get(bytes('a')))?.toString()).toBe('1');
        // Not pinned in time, it may see the write or not; having read either, it cannot commit.
        await early.get(bytes('a'));
        early.put(bytes('b'), bytes('1'));
        await expect(early.commit()).rejects.toMatchObject(conflict);
        await late.close();
        await snapshot.close();
      });
    });

    describe('conflicts', () => {
      it('refuse a commit whose read key was changed, also from missing to there', async () => {
        const transaction = store.begin();
        await transaction.get(bytes('a'));
        transaction.put(bytes('z'), bytes('1'));
        await write(store, { a: '1' });
        await expect(transaction.commit()).rejects.toMatchObject(conflict);
        expect(await textsOf(store)).toEqual(['a=1']);
      });

      it('refuse a commit whose read key was deleted, or read by getMany', async () => {
        await write(store, { a: '1', b: '1' });
        const transaction = store.begin();
        await transaction.getMany([bytes('b'), bytes('a')]);
        transaction.put(bytes('z'), bytes('1'));
        await write(store, { a: undefined });
        await expect(transaction.commit()).rejects.toMatchObject(conflict);
      });

      it('refuse a commit into whose scanned range a row was put: no phantoms', async () => {
        await write(store, { a: '1', c: '1' });
        const transaction = store.begin();
        await textsOf(transaction, { from: bytes('a'), to: bytes('d') });
        transaction.put(bytes('z'), bytes('1'));
        await write(store, { b: '1' });
        await expect(transaction.commit()).rejects.toMatchObject(conflict);
      });

      it('refuse a commit that found a range empty', async () => {
        const transaction = store.begin();
        expect(await textsOf(transaction, { from: bytes('m'), to: bytes('n') })).toEqual([]);
        transaction.put(bytes('z'), bytes('1'));
        await write(store, { mm: '1' });
        await expect(transaction.commit()).rejects.toMatchObject(conflict);
      });

      it.each(['forward', 'backward'] as const)('reach only as far as a limited %s scan read', async (direction) => {
        await write(store, { a: '1', c: '1', e: '1' });
        const read = async (): Promise<ReturnType<Store['begin']>> => {
          const transaction = store.begin();
          await rowsOf(transaction.scan(ALL, { limit: 2, direction }));
          transaction.put(bytes('zz'), bytes('1'));
          return transaction;
        };
        const lucky = await read();
        await write(store, direction === 'forward' ? { d: '1' } : { b: '1' });
        await lucky.commit();
        await write(store, { b: undefined, d: undefined, zz: undefined });
        const unlucky = await read();
        await write(store, direction === 'forward' ? { b: '1' } : { d: '1' });
        await expect(unlucky.commit()).rejects.toMatchObject(conflict);
      });

      it('spare blind writes and commits without writes', async () => {
        const blind = store.begin();
        blind.put(bytes('a'), bytes('blind'));
        const reading = store.begin();
        await reading.get(bytes('a'));
        await write(store, { a: 'first' });
        await blind.commit();
        await reading.commit();
        expect(await textsOf(store)).toEqual(['a=blind']);
      });

      it('spare what was only peeked at, which is of the same state', async () => {
        await write(store, { a: '1' });
        const transaction = store.begin();
        await transaction.pinned();
        await write(store, { a: '2' });
        expect(String(await transaction.peek(bytes('a')))).toBe('1');
        transaction.put(bytes('b'), bytes('1'));
        await transaction.commit();
        expect(await textsOf(store)).toEqual(['a=2', 'b=1']);
      });

      it('spare what was written before the begin', async () => {
        await write(store, { a: '1' });
        const transaction = store.begin();
        await transaction.get(bytes('a'));
        transaction.put(bytes('a'), bytes('2'));
        await transaction.commit();
        expect(await textsOf(store)).toEqual(['a=2']);
      });

      it('let exactly one of many increments made at the same moment win', async () => {
        const transactions = Array.from({ length: 20 }, () => store.begin());
        await Promise.all(transactions.map((transaction) => transaction.get(bytes('counter'))));
        for (const transaction of transactions) transaction.put(bytes('counter'), bytes('1'));
        const outcomes = await Promise.allSettled(transactions.map((transaction) => transaction.commit()));
        expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
      });

      it('lose no increment when conflicts are retried', async () => {
        const increment = async (): Promise<void> => {
          for (;;) {
            const transaction = store.begin();
            const value = Number((await transaction.get(bytes('counter')))?.toString() ?? 0);
            transaction.put(bytes('counter'), bytes(String(value + 1)));
            try {
              await transaction.commit();
              return;
            } catch (error) {
              expect(error).toMatchObject(conflict);
            }
          }
        };
        await Promise.all(
          Array.from({ length: 8 }, async () => {
            for (let round = 0; round < 5; round++) await increment();
          }),
        );
        expect((await store.get(bytes('counter')))?.toString()).toBe('40');
      });

      it('are found among thousands of later writes', async () => {
        await write(store, { 'k/1500': '0' });
        const byRange = store.begin();
        const byKey = store.begin();
        const unhurt = store.begin();
        await textsOf(byRange, { from: bytes('k/1500'), to: bytes('k/1501') });
        await byKey.get(bytes('k/1500'));
        await textsOf(unhurt, { from: bytes('l'), to: bytes('m') });
        for (const transaction of [byRange, byKey, unhurt]) transaction.put(bytes('z'), bytes('1'));
        for (let round = 0; round < 4; round++) {
          const bulk = store.begin();
          for (let index = 0; index < 1_000; index++) bulk.put(bytes(`k/${round * 1_000 + index}`), bytes('1'));
          await bulk.commit();
        }
        await expect(byRange.commit()).rejects.toMatchObject(conflict);
        await expect(byKey.commit()).rejects.toMatchObject(conflict);
        await unhurt.commit();
      });
    });

    describe('much at once', () => {
      it('scans in chunks that no row falls between, forward and backward, in ranges of large values', async () => {
        const size = 150_000;
        const names = Array.from({ length: 30 }, (_, index) => `row${String(index).padStart(2, '0')}`);
        await write(store, Object.fromEntries(names.map((name) => [name, name.padEnd(size, '.')])));
        for (const direction of ['forward', 'backward'] as const) {
          const rows = await rowsOf(store.scan(prefixRange(bytes('row')), { direction }), 1_000);
          const found = rows.map((row) => row.value.toString().replace(/\.+$/, ''));
          expect(found).toEqual(direction === 'forward' ? names : names.toReversed());
          expect(rows.every((row) => row.value.length === size)).toBe(true);
        }
      });

      it('shows a commit of thousands of rows whole or not at all', async () => {
        const count = 12_000;
        const rows = (value: string | undefined): Record<string, string | undefined> =>
          Object.fromEntries(Array.from({ length: count }, (_, index) => [`many/${index}`, value]));
        const seen = new Set<number>();
        let isDone = false;
        const look = async (): Promise<void> => {
          while (!isDone) {
            const snapshot = store.snapshot();
            const found = await rowsOf(snapshot.scan(prefixRange(bytes('many/')), { keysOnly: true }), 1_000);
            seen.add(found.length);
            await snapshot.close();
            // Reads in memory take no turn of the event loop, and the commits need one.
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        const looking = look();
        await write(store, rows('1'));
        await write(store, { ...rows(undefined), left: '1' });
        isDone = true;
        await looking;
        expect([...seen].filter((length) => length !== 0 && length !== count)).toEqual([]);
        expect(await textsOf(store)).toEqual(['left=1']);
      });

      it('answers hundreds of single reads made at once, each with its own value', async () => {
        const names = Array.from({ length: 300 }, (_, index) => `k${index}`);
        await write(store, Object.fromEntries(names.filter((_, index) => index % 3 > 0).map((name) => [name, `value of ${name}`])));
        const values = await Promise.all(names.map((name) => store.get(bytes(name))));
        expect(values.map((value) => value?.toString())).toEqual(
          names.map((name, index) => (index % 3 > 0 ? `value of ${name}` : undefined)),
        );
        const again = await store.getMany([...names, ...names].map(bytes));
        expect(again.map((value) => value?.toString())).toEqual([...values, ...values].map((value) => value?.toString()));
      });

      it('refuses a transaction that is too large before anything of it is written', async () => {
        const transaction = store.begin();
        const value = Buffer.alloc(8 * 1024 * 1024);
        const fill = (): void => {
          for (let index = 0; index < 9; index++) transaction.put(bytes(`part${index}`), value);
        };
        expect(fill).toThrow(expect.objectContaining({ code: 'DS_LIMIT' }));
        await transaction.close();
        expect(await textsOf(store)).toEqual([]);
      });
    });

    describe('keys of up to 10,000 bytes', () => {
      const stem = 'p'.repeat(1_999);
      // Around the lengths at which an adapter may cut keys, with long common beginnings.
      const long = fc
        .tuple(
          fc.constantFrom('', 'p', stem, `${stem}p`, `${stem}q`, `${stem}p${stem}`, `${stem}p${stem}p`, 'p'.repeat(7_999)),
          fc.uint8Array({ maxLength: 2, max: 2 }),
        )
        .map(([head, tail]) => Buffer.concat([bytes(head), Buffer.from(tail)]));

      it('keep their order, in every range and both ways, as rows come and go', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(long, fc.boolean()), { minLength: 1, maxLength: 24 }),
            fc.array(fc.tuple(long, long), { minLength: 1, maxLength: 4 }),
            fc.integer({ min: 1, max: 5 }),
            async (steps, ranges, chunk) => {
              const clear = store.begin();
              for (const row of await rowsOf(store.scan({ from: Buffer.alloc(0), to: Buffer.alloc(9_000, 0xff) }))) clear.delete(row.key);
              await clear.commit();
              const model = new Map<string, Buffer>();
              for (const [index, [key, isPut]] of steps.entries()) {
                const transaction = store.begin();
                if (isPut) {
                  transaction.put(key, Buffer.from([index]));
                  model.set(key.toString('hex'), Buffer.from([index]));
                } else {
                  const [victim = key.toString('hex')] = model.keys();
                  transaction.delete(Buffer.from(victim, 'hex'));
                  model.delete(victim);
                }
                await transaction.commit();
              }
              const sorted = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
              for (const [from, to] of [...ranges, [Buffer.alloc(0), Buffer.alloc(9_000, 0xff)] as const]) {
                const wanted = sorted.filter(([key]) => key >= from.toString('hex') && key < to.toString('hex'));
                const shown = (rows: readonly Row[]): readonly string[] =>
                  rows.map(({ key, value }) => `${key.toString('hex')}=${value.toString('hex')}`);
                const model = wanted.map(([key, value]) => `${key}=${value.toString('hex')}`);
                expect(shown(await rowsOf(store.scan({ from, to }), chunk))).toEqual(model);
                expect(shown(await rowsOf(store.scan({ from, to }, { direction: 'backward' }), chunk))).toEqual(model.toReversed());
                const keys = await rowsOf(store.scan({ from, to }, { keysOnly: true, limit: 3 }), chunk);
                expect(keys.map(({ key }) => key.toString('hex'))).toEqual(wanted.slice(0, 3).map(([key]) => key));
              }
              const keys = [...steps.map(([key]) => key), ...ranges.flat()];
              const values = await store.getMany(keys);
              expect(values.map((value) => value?.toString('hex'))).toEqual(
                keys.map((key) => model.get(key.toString('hex'))?.toString('hex')),
              );
            },
          ),
          { numRuns: 25 },
        );
      });

      it('conflict on what was read, not on what stands beside it', async () => {
        const [left, right] = [`${stem}p${stem}left`, `${stem}p${stem}right`];
        await write(store, { [left]: '1', [right]: '1' });
        const [hurt, unhurt] = [store.begin(), store.begin()];
        for (const transaction of [hurt, unhurt]) {
          await textsOf(transaction, prefixRange(bytes(transaction === hurt ? left : right)));
          transaction.put(bytes('z'), bytes('1'));
        }
        await write(store, { [`${left}/new`]: '1' });
        await expect(hurt.commit()).rejects.toMatchObject(conflict);
        await unhurt.commit();
      });
    });

    describe('closing', () => {
      it('answers or refuses whatever is under way, and nothing hangs', async () => {
        await write(store, Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`row/${index}`, 'v'.repeat(200)])));
        const snapshots = Array.from({ length: 5 }, () => store.snapshot());
        const underWay = [
          ...Array.from({ length: 50 }, (_, index) => store.get(bytes(`row/${index}`))),
          ...snapshots.map((snapshot) => rowsOf(snapshot.scan(ALL), 10)),
          ...snapshots.map((snapshot) => snapshot.pinned()),
          rowsOf(store.scan(ALL), 10),
          store.getMany([bytes('row/1'), bytes('row/2')]),
          ...Array.from({ length: 20 }, (_, index) => write(store, { [`late/${index}`]: '1' })),
        ];
        const outcomes = Promise.allSettled(underWay);
        await store.close();
        for (const outcome of await outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(closed);
        for (const snapshot of snapshots) await snapshot.close();
        await store.start();
        expect(await rowsOf(store.scan(prefixRange(bytes('late/'))))).toHaveLength(20);
      });

      it('finishes the commits under way and refuses everything after', async () => {
        const transaction = store.begin();
        const snapshot = store.snapshot();
        const scan = store.scan(ALL);
        const committing = Array.from({ length: 10 }, (_, index) => write(store, { [`k${index}`]: '1' }));
        const closing = store.close();
        await Promise.all(committing);
        await closing;
        transaction.put(bytes('late'), bytes('1'));
        await expect(transaction.commit()).rejects.toMatchObject(closed);
        await expect(snapshot.get(bytes('a'))).rejects.toMatchObject(closed);
        await expect(scan.next(1)).rejects.toMatchObject(closed);
        await expect(store.get(bytes('a'))).rejects.toMatchObject(closed);
        expect(() => store.begin()).toThrow(expect.objectContaining(closed));
        await snapshot.close();
        await store.close();
      });

      it('keeps every acknowledged row over a restart, and no transaction', async () => {
        await write(store, { a: '1', b: '2' });
        await write(store, { a: undefined });
        const old = store.begin();
        old.put(bytes('old'), bytes('1'));
        await store.close();
        await store.start();
        await expect(old.commit()).rejects.toMatchObject(closed);
        expect(await textsOf(store)).toEqual(['b=2']);
        await write(store, { c: '3' });
        expect(await textsOf(store)).toEqual(['b=2', 'c=3']);
      });
    });

    it('behaves as an ordered map under random operations', async () => {
      const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 }).map((array) => Buffer.from(array));
      const step = fc.oneof(
        fc.record({ kind: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 3 }).map((array) => Buffer.from(array)) }),
        fc.record({ kind: fc.constant('delete' as const), key }),
        fc.record({
          kind: fc.constant('scan' as const),
          from: key,
          to: key,
          limit: fc.integer({ min: 1, max: 6 }),
          direction: fc.constantFrom('forward' as const, 'backward' as const),
        }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 12 }), async (transactions) => {
          const clear = store.begin();
          for (const row of await rowsOf(store.scan(ALL))) clear.delete(row.key);
          await clear.commit();
          const model = new Map<string, string>();
          for (const steps of transactions) {
            const transaction = store.begin();
            const before = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
            for (const one of steps) {
              switch (one.kind) {
                case 'put':
                  transaction.put(one.key, one.value);
                  model.set(one.key.toString('hex'), one.value.toString('hex'));
                  break;
                case 'delete':
                  transaction.delete(one.key);
                  model.delete(one.key.toString('hex'));
                  break;
                case 'scan': {
                  const inRange = before.filter(([at]) => at >= one.from.toString('hex') && at < one.to.toString('hex'));
                  const wanted = (one.direction === 'forward' ? inRange : inRange.reverse()).slice(0, one.limit);
                  const found = await rowsOf(transaction.scan(one, { limit: one.limit, direction: one.direction }), 2);
                  expect(found.map((row) => [row.key.toString('hex'), row.value.toString('hex')])).toEqual(wanted);
                }
              }
            }
            await transaction.commit();
          }
          const rows = await rowsOf(store.scan(ALL));
          const wanted = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
          expect(rows.map((row) => [row.key.toString('hex'), row.value.toString('hex')])).toEqual(wanted);
        }),
        { numRuns: 40 },
      );
    });

    it('is serialisable: every history of concurrent transactions equals the one in commit order', async () => {
      const cell = fc.integer({ min: 0, max: 5 });
      const plan = fc.record({
        begin: fc.integer({ min: 0, max: 8 }),
        end: fc.integer({ min: 0, max: 8 }),
        readKeys: fc.array(cell, { maxLength: 2 }),
        readRange: fc.option(fc.tuple(cell, cell)),
        write: cell,
      });
      const nameOf = (index: number): Buffer => bytes(`cell${index}`);
      await fc.assert(
        fc.asyncProperty(fc.array(plan, { minLength: 2, maxLength: 8 }), async (plans) => {
          const clear = store.begin();
          for (let index = 0; index < 6; index++) clear.delete(nameOf(index));
          await clear.commit();
          const model = new Map<string, string>();
          const read = async (reader: StoreReader, one: (typeof plans)[number]): Promise<string> => {
            const seen = (await reader.getMany(one.readKeys.map(nameOf))).map((value) => value?.toString() ?? '-');
            const range = one.readRange
              ? await textsOf(reader, { from: nameOf(one.readRange[0]), to: keyAfter(nameOf(one.readRange[1])) })
              : [];
            return JSON.stringify([seen, range]);
          };
          const open: { plan: (typeof plans)[number]; index: number; transaction: ReturnType<Store['begin']>; saw: string }[] = [];
          for (let time = 0; time <= 9; time++) {
            for (const [index, one] of plans.entries()) {
              if (one.begin !== time) continue;
              const transaction = store.begin();
              const saw = await read(transaction, one);
              transaction.put(nameOf(one.write), bytes(`${index}:${saw.length}`));
              open.push({ plan: one, index, transaction, saw });
            }
            for (const entry of open.filter(({ plan: { begin, end } }) => Math.max(begin, end) === time)) {
              // What it would see if it ran alone right now: if the commit is accepted, it must have seen exactly that.
              const now = await read(store, entry.plan);
              const accepted = await entry.transaction.commit().then(
                () => true,
                () => false,
              );
              if (accepted) {
                expect(entry.saw).toBe(now);
                model.set(nameOf(entry.plan.write).toString(), `${entry.index}:${entry.saw.length}`);
              }
            }
          }
          const wanted = [...model].sort(([left], [right]) => (left < right ? -1 : 1)).map(([at, value]) => `${at}=${value}`);
          expect(await textsOf(store, prefixRange(bytes('cell')))).toEqual(wanted);
        }),
        { numRuns: 40 },
      );
    });
  });
}
