import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type KeyRange } from '../storage/port.ts';
import { type LockMode, type LockOwner, type Patience } from './lock.ts';
import { GaveWay, LockTable, type LockTableOptions } from './lock-table.ts';

const row = (text: string): { readonly key: Buffer } => ({ key: Buffer.from(text) });
const range = (from: string, to: string) => ({ from: Buffer.from(from), to: Buffer.from(to) });
const shown = ({ from, to }: KeyRange): string => `${from.toString()}-${to.toString()}`;
const CONFLICT = expect.objectContaining({ code: 'DS_TX_CONFLICT' }) as unknown;

/** A table, owners by name, and how each of their requests ends. */
function world(options: LockTableOptions = {}) {
  const time = new VirtualTime();
  const table = new LockTable(time, time, options);
  const events: string[] = [];
  const owners = new Map<string, LockOwner>();
  const owner = (name: string): LockOwner => {
    const known = owners.get(name) ?? table.owner({ givesWay: name.startsWith('commit') });
    owners.set(name, known);
    return known;
  };
  const follow = (label: string, wait: Promise<void> | undefined): void => {
    if (!wait) events.push(label);
    void wait?.then(
      () => events.push(label),
      (error: unknown) => events.push(`${label}: ${error instanceof GaveWay ? 'gave way' : (error as { code: string }).code}`),
    );
  };
  return {
    time,
    table,
    owner,
    /** What has ended since the last call. */
    ended: async (): Promise<readonly string[]> => {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      return events.splice(0);
    },
    lock: (name: string, mode: LockMode, ...names: readonly string[]): void => {
      follow(`${name} ${names.join()}`, table.lock(owner(name), names, mode));
    },
    range: (name: string, from: string, to: string): void => {
      table.lockRange(owner(name), range(from, to));
    },
    write: (name: string, ...keys: readonly string[]): void => {
      follow(`${name} rows ${keys.join()}`, table.waitForRows(owner(name), keys.map(row)));
    },
    release: (name: string): void => {
      table.release(owner(name));
    },
  };
}

describe('locks on names', () => {
  it('are shared by readers and had alone by a writer, in the order of asking', async () => {
    const { lock, release, ended, table } = world();
    lock('r1', 'shared', 'a');
    lock('r2', 'shared', 'a');
    lock('w1', 'exclusive', 'a');
    lock('r3', 'shared', 'a');
    lock('w2', 'exclusive', 'a');
    lock('w2b', 'exclusive', 'b');
    expect(await ended()).toEqual(['r1 a', 'r2 a', 'w2b b']);
    release('r1');
    expect(await ended()).toEqual([]);
    release('r2');
    expect(await ended()).toEqual(['w1 a']);
    release('w1');
    expect(await ended()).toEqual(['r3 a']);
    release('r3');
    expect(await ended()).toEqual(['w2 a']);
    release('w2');
    release('w2b');
    expect(table.size).toBe(0);
  });

  it('are made stronger by their only holder at once, and before all who wait', async () => {
    const { lock, release, ended } = world();
    lock('t1', 'shared', 'a');
    lock('t2', 'shared', 'a');
    lock('w', 'exclusive', 'a');
    lock('t1', 'exclusive', 'a');
    expect(await ended()).toEqual(['t1 a', 't2 a']);
    release('t2');
    expect(await ended()).toEqual(['t1 a']);
    lock('t1', 'shared', 'a');
    expect(await ended()).toEqual(['t1 a']);
    release('t1');
    expect(await ended()).toEqual(['w a']);
  });

  it('are asked for again by those who hold them without waiting for those who wait', async () => {
    const { lock, ended } = world();
    lock('t1', 'shared', 'a');
    lock('w', 'exclusive', 'a');
    lock('t1', 'shared', 'a');
    expect(await ended()).toEqual(['t1 a', 't1 a']);
  });

  it('are waited for no longer than the limit in all, however many one call needs', async () => {
    const { lock, release, ended, time } = world({ waitMs: 100 });
    lock('t1', 'shared', 'a');
    lock('t2', 'shared', 'b');
    lock('w', 'exclusive', 'a', 'b');
    await time.advanceAsync(60);
    release('t1');
    lock('r', 'shared', 'a');
    await time.advanceAsync(39);
    expect(await ended()).toEqual(['t1 a', 't2 b']);
    await time.advanceAsync(1);
    expect(await ended()).toEqual(['w a,b: DS_TX_CONFLICT']);
    // It holds what it got until it is released.
    release('w');
    expect(await ended()).toEqual(['r a']);
  });

  it('let in those behind a wait that ends', async () => {
    const { lock, ended, time } = world({ waitMs: 100 });
    lock('t1', 'shared', 'a');
    lock('w', 'exclusive', 'a');
    await time.advanceAsync(50);
    lock('t2', 'shared', 'a');
    await time.advanceAsync(50);
    expect(await ended()).toEqual(['t1 a', 'w a: DS_TX_CONFLICT', 't2 a']);
  });

  it('are not waited for by more than the limit', async () => {
    const { lock, ended } = world({ waitsMax: 1 });
    lock('t1', 'exclusive', 'a');
    lock('t2', 'exclusive', 'a');
    lock('t3', 'exclusive', 'a');
    expect(await ended()).toEqual(['t1 a', 't3 a: DS_OVERLOADED']);
  });

  it('are not waited for once the caller has gone, the owner ended or the table closed', async () => {
    const { table, owner, lock, release, ended } = world();
    lock('t1', 'exclusive', 'a');
    const abort = new AbortController();
    const patience: Patience = { signal: abort.signal };
    const gone = table.lock(owner('t2'), ['a'], 'shared', patience);
    abort.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    await expect(table.lock(owner('t2'), ['a'], 'shared', patience)).rejects.toThrow('gone');
    lock('t3', 'shared', 'a');
    expect(table.stop(owner('t3'))).toBe(true);
    expect(table.stop(owner('t3'))).toBe(false);
    lock('t4', 'shared', 'a');
    release('t4');
    expect(() => table.lock(owner('t4'), ['b'], 'shared')).toThrow(expect.objectContaining({ code: 'DS_TX_INVALID' }) as Error);
    expect(() => {
      table.lockRange(owner('t4'), range('a', 'b'));
    }).toThrow(expect.objectContaining({ code: 'DS_TX_INVALID' }) as Error);
    lock('t5', 'shared', 'a');
    table.close();
    lock('t6', 'shared', 'a');
    expect(await ended()).toEqual(['t1 a', 't3 a: DS_TX_INVALID', 't4 a: DS_TX_INVALID', 't5 a: DS_CLOSED', 't6 a: DS_CLOSED']);
    table.start();
    lock('t7', 'shared', 'a');
    release('t1');
    expect(await ended()).toEqual(['t7 a']);
  });

  it('tell a holder that it is waited for', async () => {
    const { table, lock } = world();
    let told = 0;
    const holder = table.owner({ givesWay: false, onBlocking: () => told++ });
    void table.lock(holder, ['a'], 'shared');
    lock('r', 'shared', 'a');
    expect(told).toBe(0);
    lock('w', 'exclusive', 'a');
    expect(told).toBe(1);
    await Promise.resolve();
  });
});

describe('circles of waits', () => {
  it('end at once: of two that make their locks stronger, the second is refused', async () => {
    const { lock, release, ended } = world();
    lock('t1', 'shared', 'a');
    lock('t2', 'shared', 'a');
    lock('t1', 'exclusive', 'a');
    lock('t2', 'exclusive', 'a');
    expect(await ended()).toEqual(['t1 a', 't2 a', 't2 a: DS_TX_CONFLICT']);
    release('t2');
    expect(await ended()).toEqual(['t1 a']);
  });

  it('of three are found where the third closes them', async () => {
    const { lock, release, ended } = world();
    for (const at of [1, 2, 3]) lock(`t${at}`, 'exclusive', `k${at}`);
    lock('t1', 'exclusive', 'k2');
    lock('t2', 'exclusive', 'k3');
    expect(await ended()).toHaveLength(3);
    lock('t3', 'exclusive', 'k1');
    expect(await ended()).toEqual(['t3 k1: DS_TX_CONFLICT']);
    release('t3');
    expect(await ended()).toEqual(['t2 k3']);
    release('t2');
    expect(await ended()).toEqual(['t1 k2']);
  });

  it('are found through the turn in a queue', async () => {
    const { lock, ended } = world();
    lock('t1', 'shared', 'a');
    lock('t2', 'exclusive', 'b');
    lock('t2', 'exclusive', 'a');
    lock('t3', 'exclusive', 'c');
    // Behind t2, although t1 shares it.
    lock('t3', 'shared', 'a');
    expect(await ended()).toHaveLength(3);
    lock('t1', 'shared', 'c');
    expect(await ended()).toEqual(['t1 c: DS_TX_CONFLICT']);
  });

  it('are not seen where two that can share a lock stand one behind the other', async () => {
    const { lock, ended } = world();
    lock('x', 'exclusive', 'a');
    lock('d', 'exclusive', 'd');
    lock('t1', 'shared', 'a');
    lock('t2', 'exclusive', 'b');
    lock('t2', 'shared', 'a');
    lock('d', 'exclusive', 'b');
    // t1 waits for d, d for t2, and t2 stands behind t1, but waits for x alone.
    lock('t1', 'shared', 'd');
    expect(await ended()).toEqual(['x a', 'd d', 't2 b']);
  });

  it('are left by a commit, whoever closes them', async () => {
    const { lock, release, ended } = world();
    lock('t', 'shared', 'b');
    lock('commit', 'exclusive', 'a', 'b');
    lock('t', 'exclusive', 'a');
    expect(await ended()).toEqual(['t b', 'commit a,b: gave way', 't a']);
    lock('commit', 'exclusive', 'a', 'b');
    release('t');
    expect(await ended()).toEqual(['commit a,b']);
    release('commit');

    lock('t2', 'shared', 'b');
    lock('commit2', 'exclusive', 'a');
    lock('t2', 'exclusive', 'a');
    lock('commit2', 'exclusive', 'b');
    expect(await ended()).toEqual(['t2 b', 'commit2 a', 't2 a', 'commit2 b: gave way']);
  });

  it('lead over rows as well', async () => {
    const { lock, range, write, release, ended } = world();
    range('t1', 'p1', 'p5');
    range('t2', 'q1', 'q5');
    lock('t1', 'exclusive', 'a');
    lock('t2', 'exclusive', 'b');
    write('t1', 'q3');
    write('t2', 'p3');
    expect(await ended()).toEqual(['t1 a', 't2 b', 't2 rows p3: DS_TX_CONFLICT']);
    release('t2');
    expect(await ended()).toEqual(['t1 rows q3']);
    lock('commit', 'exclusive', 'e');
    write('commit', 'p3');
    lock('t1', 'exclusive', 'e');
    expect(await ended()).toEqual(['commit e', 'commit rows p3: gave way', 't1 e']);
  });
});

describe('locks on ranges', () => {
  it('hold up the writers of their rows, but not their owner and not each other', async () => {
    const { range, write, release, ended, table } = world();
    range('t1', 'b', 'd');
    range('t2', 'c', 'e');
    write('t1', 'b');
    write('w', 'a', 'e');
    write('w', 'd');
    write('w2', 'b', 'd');
    expect(await ended()).toEqual(['t1 rows b', 'w rows a,e']);
    release('t2');
    expect(await ended()).toEqual(['w rows d']);
    release('t1');
    expect(await ended()).toEqual(['w2 rows b,d']);
    expect(table.hasRanges).toBe(false);
  });

  it('of one owner are one where they touch or overlap', () => {
    const { range, owner } = world();
    range('t', 'a', 'c');
    range('t', 'e', 'g');
    range('t', 'b', 'b');
    range('t', 'c', 'd');
    expect(owner('t').ranges.map(shown)).toEqual(['a-d', 'e-g']);
    range('t', 'd', 'f');
    range('t', 'b', 'c');
    expect(owner('t').ranges.map(shown)).toEqual(['a-g']);
  });

  it('of one owner stay below the limit by closing the narrowest gaps, never those between families', async () => {
    const { range, write, owner, ended } = world({ rangesMax: 4 });
    for (const at of ['Eapp/1', 'Eapp/3', 'Papp/n/1', 'Papp/n/3', 'Papp/m/1']) range('t', at, `${at}~`);
    expect(owner('t').ranges.map(shown)).toEqual(['Eapp/1-Eapp/3~', 'Papp/m/1-Papp/m/1~', 'Papp/n/1-Papp/n/3~']);
    write('w', 'Eapp/2');
    write('w', 'Gapp', 'Papp/m/2');
    expect(await ended()).toEqual(['w rows Gapp,Papp/m/2']);
  });
});

describe('a question about ranges', () => {
  it('finds the same owners as looking through all ranges', () => {
    const key = fc.array(fc.constantFrom(0x61, 0x62, 0x63), { maxLength: 4 }).map((bytes) => Buffer.from(bytes));
    const someRange = fc.record({ owner: fc.nat(4), one: key, other: key, isRelease: fc.integer({ max: 9, min: 0 }).map((n) => n === 0) });
    fc.assert(
      fc.property(fc.array(someRange, { maxLength: 40 }), fc.array(key, { minLength: 1, maxLength: 10 }), (ranges, keys) => {
        const { table, owner } = world();
        let all: { readonly name: string; readonly from: Buffer; readonly to: Buffer }[] = [];
        for (const { owner: at, one, other, isRelease } of ranges) {
          const name = `t${at}`;
          if (owner(name).hasEnded) continue;
          if (isRelease) {
            table.release(owner(name));
            all = all.filter((known) => known.name !== name);
            continue;
          }
          const [from, to] = Buffer.compare(one, other) < 0 ? [one, other] : [other, one];
          table.lockRange(owner(name), { from, to });
          all.push({ name, from, to });
        }
        for (const asked of keys) {
          const covering = all.filter(({ from, to }) => Buffer.compare(from, asked) <= 0 && Buffer.compare(asked, to) < 0);
          const wait = table.waitForRows(owner('writer'), [{ key: asked }]);
          const names = ['t0', 't1', 't2', 't3', 't4'];
          const waitedFor = names.filter((name) => [...owner(name).rowWaits].length > 0);
          expect(waitedFor).toEqual(names.filter((name) => covering.some((known) => known.name === name)));
          table.stop(owner('writer'));
          wait?.catch(() => undefined);
        }
      }),
      { numRuns: 200 },
    );
  });
});

it('says what happened to one that waited too long', async () => {
  const { table, owner, time } = world({ waitMs: 100 });
  void table.lock(owner('t1'), ['a'], 'exclusive');
  const wait = table.lock(owner('t2'), ['a'], 'exclusive');
  time.advance(100);
  await expect(wait).rejects.toEqual(CONFLICT);
  await expect(wait).rejects.toThrow('Aborted due to cross-transaction contention: others held what it needs for more than 100 ms');
});
