import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { sumOf } from './usage-amounts.ts';
import { type Fate, UsageWorld, type WorldSource } from './usage-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = Date.UTC(2026, 10, 26, 12);

async function world(startMs = NOON, seed = 1): Promise<UsageWorld> {
  const made = new UsageWorld({ seed, startMs });
  await made.start();
  return made;
}

const today = (at: UsageWorld, app = 'shop') => at.ledger.usedOn(app, at.ledger.today);
const onDisk = (at: UsageWorld, app = 'shop') =>
  sumOf([...at.store.rows.values()].filter(({ appId }) => appId === app).map(({ amounts }) => amounts));

describe('the ledger', () => {
  it('knows what was used a moment ago, long before it is on disk', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3, outgoingBytes: 100 });
    await at.pass(500);
    at.use(router, 'shop', { requests: 1 });
    await at.pass(500);
    expect(today(at)).toEqual({ requests: 4, outgoingBytes: 100 });
    expect(at.store.rows.size).toBe(0);
  });

  it('has every row on disk within a minute, and counts it no second time', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    await at.pass(LIMITS.usageRowMs + 1_000);
    expect(onDisk(at)).toEqual({ requests: 3 });
    expect(today(at)).toEqual({ requests: 3 });
  });

  it('adds up the rows of several sources', async () => {
    const at = await world();
    const [router, host] = [at.addSource('router'), at.addSource('host')];
    at.use(router, 'shop', { requests: 3 });
    at.use(host, 'shop', { cpuMegacycles: 70 });
    at.use(host, 'blog', { cpuMegacycles: 7 });
    await at.pass(2 * MINUTE_MS);
    at.use(router, 'shop', { requests: 2 });
    await at.pass(500);
    expect(today(at)).toEqual({ requests: 5, cpuMegacycles: 70 });
    expect(today(at, 'blog')).toEqual({ cpuMegacycles: 7 });
  });

  it('persists what a source that died had reported', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    await at.pass(500);
    at.use(router, 'shop', { requests: 40 });
    at.kill(router);
    await at.pass(MINUTE_MS);
    expect(onDisk(at)).toEqual({ requests: 3 });
    expect(today(at)).toEqual({ requests: 3 });
  });

  it('loses nothing when the control role is killed, since the sources go on', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    await at.pass(500);
    at.killControl();
    at.use(router, 'shop', { requests: 4 });
    await at.pass(10_000);
    await at.startControl();
    expect(today(at)).toEqual({});
    await at.pass(5_000);
    expect(today(at)).toEqual({ requests: 7 });
    await at.pass(2 * MINUTE_MS);
    expect(onDisk(at)).toEqual({ requests: 7 });
  });

  it("starts from the day's account, and asks what is on disk of the rows of before", async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    // Written, but the source does not hear of it before the control role dies.
    at.store.onWrite = (when) => {
      if (when === 'after') at.killControl();
    };
    await at.pass(2 * MINUTE_MS);
    expect(onDisk(at)).toEqual({ requests: 3 });
    at.store.onWrite = () => {
      throw new PlatformError('RPC_UNAVAILABLE');
    };
    await at.startControl();
    await at.pass(10_000);
    expect(today(at)).toEqual({ requests: 3 });
    at.store.onWrite = () => undefined;
    await at.pass(MINUTE_MS);
    expect(today(at)).toEqual({ requests: 3 });
    expect(onDisk(at)).toEqual({ requests: 3 });
  });

  it('lets a source that was taken for dead go on with what is beyond its persisted row', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    await at.pass(500);
    at.fate = () => 'is lost';
    at.use(router, 'shop', { requests: 4 });
    await at.pass(30_000);
    expect(onDisk(at)).toEqual({ requests: 3 });
    at.fate = () => 'arrives';
    await at.pass(2 * MINUTE_MS);
    expect(today(at)).toEqual({ requests: 7 });
    expect(onDisk(at)).toEqual({ requests: 7 });
    expect(at.store.rows.size).toBe(2);
  });

  it('keeps rows while the store is away, and writes them once when it is back', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.store.onWrite = () => {
      throw new PlatformError('RPC_UNAVAILABLE');
    };
    for (let minute = 0; minute < 5; minute++) {
      at.use(router, 'shop', { requests: 1 });
      await at.pass(MINUTE_MS);
    }
    expect(today(at)).toEqual({ requests: 5 });
    at.store.onWrite = () => undefined;
    await at.pass(MINUTE_MS);
    expect(onDisk(at)).toEqual({ requests: 5 });
    expect(today(at)).toEqual({ requests: 5 });
  });

  it('holds no more rows than a limit while nothing is settled, and loses nothing', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.killControl();
    const apps = Array.from({ length: 400 }, (_, index) => `app-${index}`);
    for (let minute = 0; minute < 20; minute++) {
      for (const app of apps) at.use(router, app, { requests: 1 });
      at.time.advance(MINUTE_MS);
    }
    await at.startControl();
    await at.pass(5 * MINUTE_MS);
    expect(at.store.rows.size).toBeLessThanOrEqual(LIMITS.usageRowsUnsettledMax + apps.length);
    for (const app of apps) expect(onDisk(at, app)).toEqual({ requests: 20 });
  });

  it('persists open rows when it is closed', async () => {
    const at = await world();
    const router = at.addSource('router');
    at.use(router, 'shop', { requests: 3 });
    await at.pass(500);
    await at.ledger.close({ graceMs: 1_000 });
    expect(onDisk(at)).toEqual({ requests: 3 });
  });

  it('never loses or doubles more than its bound, whatever crashes, repeats, is late or is lost', { timeout: 120_000 }, async () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            kind: fc.constant('use' as const),
            source: fc.nat(2),
            app: fc.nat(1),
            amount: fc.integer({ min: 1, max: 1_000 }),
          }),
        },
        {
          weight: 6,
          arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 300, 1_000, 20_000, MINUTE_MS) }),
        },
        {
          weight: 3,
          arbitrary: fc.record({
            kind: fc.constant('fates' as const),
            fates: fc.array(fc.constantFrom<Fate>('arrives', 'is lost', 'loses its answer', 'twice'), { minLength: 1, maxLength: 5 }),
          }),
        },
        { weight: 1, arbitrary: fc.constant({ kind: 'kill-source' as const }) },
        { weight: 1, arbitrary: fc.constant({ kind: 'kill-control' as const }) },
        { weight: 2, arbitrary: fc.constant({ kind: 'start-control' as const }) },
        { weight: 2, arbitrary: fc.constant({ kind: 'late' as const }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('store' as const), fails: fc.constantFrom('before', 'after', 'never') }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const), hours: fc.integer({ min: -30, max: 30 }) }) },
      ),
      { minLength: 5, maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), async (script, seed) => {
        const at = await world(NOON, seed);
        let alive: WorldSource[] = [at.addSource('router'), at.addSource('host'), at.addSource('datastore')];
        let fates: readonly Fate[] = ['arrives'];
        let turn = 0;
        at.fate = () => fates[turn++ % fates.length] ?? 'arrives';
        for (const step of script) {
          switch (step.kind) {
            case 'use':
              at.use(alive[step.source]!, ['shop', 'blog'][step.app]!, { requests: step.amount, cpuMegacycles: 3 * step.amount });
              break;
            case 'pass':
              await at.pass(step.ms);
              break;
            case 'fates':
              fates = step.fates;
              break;
            case 'kill-source':
              at.kill(alive[0]!);
              alive = [...alive.slice(1), at.addSource('router')];
              break;
            case 'kill-control':
              at.killControl();
              break;
            case 'start-control':
              if (at.isControlAway) await at.startControl();
              break;
            case 'late':
              await at.deliverLate();
              break;
            case 'store': {
              const { fails } = step;
              at.store.onWrite = (when) => {
                if (when === fails) throw new PlatformError('RPC_CONNECTION_LOST');
              };
              break;
            }
            case 'jump':
              at.jumpClock(step.hours * HOUR_MS);
              break;
          }
        }
        // In the end everything works again, and what is late arrives.
        fates = ['arrives'];
        at.store.onWrite = () => undefined;
        if (at.isControlAway) await at.startControl();
        await at.pass(3 * MINUTE_MS);
        while (at.lateReports > 0) await at.deliverLate();
        await at.pass(2 * MINUTE_MS);

        for (const app of ['shop', 'blog']) {
          const most = sumOf(at.sources.map((source) => source.added.get(app) ?? {}));
          const least = sumOf(at.sources.map((source) => (source.isDead ? source.reported : source.added).get(app) ?? {}));
          const rows = [...at.store.rows.values()].filter(({ appId }) => appId === app);
          const kept = sumOf(rows.map(({ amounts }) => amounts));
          expect(kept.requests ?? 0).toBeGreaterThanOrEqual(least.requests ?? 0);
          expect(kept.requests ?? 0).toBeLessThanOrEqual(most.requests ?? 0);
          // What is counted is what is on disk, day by day, and every row is of one day.
          const days = [...new Set(rows.map(({ day }) => day))];
          for (const { day, amounts } of await at.store.daysOf(app, days)) {
            expect(amounts).toEqual(sumOf(rows.filter((row) => row.day === day).map((row) => row.amounts)));
          }
          expect(at.ledger.liveRows(app, at.ledger.today)).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
