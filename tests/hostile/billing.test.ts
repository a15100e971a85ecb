// Attempts to use without being charged, by the numbers of the project's list of attacks.
import { afterEach, describe, expect, test } from 'vitest';
import { datastoreService } from '../../datastore/api/wire-service.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { ServiceTable } from '../../runtime/api/service-table.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../runtime/api/usage-meter.ts';
import { chargeWrites, DATASTORE_CALL_MEGACYCLES, meteredDatastore } from '../../runtime/billing/datastore-costs.ts';
import { DeskWorld } from '../../runtime/billing/desk-world.ts';
import { quotaError } from '../../runtime/billing/followed-quota-gate.ts';
import { StoredDataMeter } from '../../runtime/billing/stored-data-meter.ts';
import { sumOf } from '../../runtime/billing/usage-amounts.ts';
import { Datastore as DatastoreClient } from '../../sdk/client/datastore.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { HostFixture } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';
import { httpByHost, waitFor } from '../integration/platform-process.ts';
import { HttpFront } from './http-front.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HOUR_MS = 3_600_000;
const kind = (await bubblewrapSkip()) === undefined ? 'bubblewrap' : 'process';
const UNMETERED = 'control groups cannot be read here: run as root';

describe('79: work is charged wherever it is moved', () => {
  const BURNER = `
const { spawn } = require('node:child_process');
// Half a second of CPU, however long this machine takes to give it.
const burn = 'const start = process.cpuUsage(); while (process.cpuUsage(start).user < 500000);';
const ways = {
  '/after': () => setTimeout(() => new Function('process', burn)(process), 10),
  '/child': () => spawn(process.execPath, ['-e', burn], { stdio: 'ignore' }),
  // A grandchild that nobody waits for, in a session of its own.
  '/daemon': () => {
    const again = 'require("node:child_process").spawn(process.execPath, ["-e", ' + JSON.stringify(burn) + '], { detached: true, stdio: "ignore" }).unref()';
    spawn(process.execPath, ['-e', again], { detached: true, stdio: 'ignore' }).unref();
  },
};
serve((url) => { ways[url](); return 'ok'; });
`;

  test.for(['/after', '/child', '/daemon'])('to %s', async (way, context) => {
    const meter = new MemoryUsageMeter();
    const fixture = await HostFixture.open(kind, { meter });
    closing.push(() => fixture.close());
    if (fixture.resources.kind === 'unlimited') context.skip(UNMETERED);
    const app = await fixture.start(BURNER);
    await app.reached('ready');
    const { appId } = app.view();
    const used = (): number => meter.totals.get(appId)?.cpuMegacycles ?? 0;
    const before = used();
    await app.get(way);
    await waitFor('600 megacycles are charged', () => used() - before >= 595, 30_000);
  });

  test('to the last moment before an instance ends', async (context) => {
    const meter = new MemoryUsageMeter();
    const fixture = await HostFixture.open(kind, { meter });
    closing.push(() => fixture.close());
    if (fixture.resources.kind === 'unlimited') context.skip(UNMETERED);
    const code = 'const start = process.cpuUsage(); while (process.cpuUsage(start).user < 200000); process.exit(1);';
    const app = await fixture.start(code);
    const { appId } = app.view();
    await app.exited();
    expect(meter.totals.get(appId)?.cpuMegacycles ?? 0).toBeGreaterThanOrEqual(240);
    // Nothing of what was read when it had ended is missing.
    expect(meter.totals.get(appId)?.cpuMegacycles).toBe(Math.floor(((app.view().cpuMicros ?? 0) * 1_200) / 1_000_000));
    expect(meter.totals.get(appId)?.instanceSeconds).toBeGreaterThanOrEqual(1);
  });

  test('into calls of the datastore: by what they read and write', async () => {
    const meter = new MemoryUsageMeter();
    const server = new Datastore(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog(), {
      onWrote: chargeWrites(meter),
    });
    await server.start();
    closing.push(() => server.close());
    const api = {
      ...({ name: 'datastore', resource: 'datastoreCalls', megacyclesPerCall: DATASTORE_CALL_MEGACYCLES, deadlineMs: 0 } as const),
      serviceOf: ({ appId }: { appId: string }) => meteredDatastore(datastoreService(server, { appId }), appId, OPEN_GATE, meter),
    };
    const table = new ServiceTable([api], new CallPassage(OPEN_GATE, meter), systemTimers);
    const services = table.servicesOf({ appId: 'shop', id: 'i', service: 'default', version: 'v' });
    const datastore = new DatastoreClient(new InProcessRpc(services, systemTimers), systemTimers, systemRandom);
    const cost = async (work: () => Promise<unknown>): Promise<number> => {
      const before = meter.totals.get('shop')?.cpuMegacycles ?? 0;
      await work();
      return (meter.totals.get('shop')?.cpuMegacycles ?? 0) - before;
    };
    const key = (name: string) => datastore.key('K', name);
    const put = (name: string, properties: Record<string, unknown>) => cost(() => datastore.put({ key: key(name), properties }));
    const two = await put('a', { x: 1, y: 2 });
    const ten = await put('b', Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`p${index}`, index])));
    const get = await cost(() => datastore.get(key('a')));
    expect([get, two, ten]).toEqual([10, 10 + 4 * 12, 10 + 12 * 12]);
    for (let index = 0; index < 30; index++) await put(`c${index}`, { x: index });
    expect(await cost(() => datastore.gql('SELECT * FROM K LIMIT 30'))).toBe(300);
    expect(await cost(() => datastore.getMany(Array.from({ length: 20 }, (_, index) => key(`c${index}`))))).toBe(200);
    expect(meter.totals.get('shop')?.datastoreCalls).toBe(35);
    // A call that fails was made all the same.
    await expect(datastore.insert({ key: key('a'), properties: {} })).rejects.toThrow();
    expect(meter.totals.get('shop')?.datastoreCalls).toBe(36);
  });

  test('into stored data: over quota nothing is added, while deleting goes on', async () => {
    const meter = new MemoryUsageMeter();
    const server = new Datastore(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog());
    await server.start();
    closing.push(() => server.close());
    const full = {
      check: (_app: string, resource: string) => {
        if (resource === 'storedByteHours') throw new PlatformError('QUOTA_EXCEEDED', 'Stored data');
      },
    };
    const client = (gate: typeof full | typeof OPEN_GATE): DatastoreClient =>
      new DatastoreClient(
        new InProcessRpc([meteredDatastore(datastoreService(server, { appId: 'shop' }), 'shop', gate, meter)], systemTimers),
        systemTimers,
        systemRandom,
      );
    const key = client(full).key('K', 'a');
    await client(OPEN_GATE).put({ key, properties: { text: 'x'.repeat(1_000) } });
    const stored = server.storedBytes().get('shop') ?? 0;
    expect(stored).toBeGreaterThan(1_000);
    await expect(client(full).put({ key, properties: {} })).rejects.toThrow('over its quota: Stored data');
    expect(await client(full).get(key)).toBeDefined();
    await client(full).delete(key);
    expect(server.storedBytes().get('shop')).toBe(0);
  });
});

describe('80: clock jumps change no charge', () => {
  test('of stored data', () => {
    const time = new VirtualTime(0);
    let offsetMs = 0;
    const clock = { nowMs: () => time.nowMs() + offsetMs, monotonicMs: () => time.monotonicMs() };
    const meter = new MemoryUsageMeter();
    const stored = new StoredDataMeter(
      () =>
        new Map([
          ['shop', 1_000_000],
          ['~system', 5],
        ]),
      meter,
      clock,
      time,
    );
    stored.start();
    for (const jumpMs of [HOUR_MS * 24 * 365, -HOUR_MS * 24 * 800, 0]) {
      offsetMs += jumpMs;
      time.advance(HOUR_MS);
    }
    stored.close();
    expect(Object.fromEntries(meter.totals)).toEqual({ shop: { storedByteHours: 3_000_000 } });
  });

  test.each([-30, -1, 1, 30])('of requests, by %i hours; every row keeps a length that time had', async (hours) => {
    const world = await DeskWorld.start(Date.UTC(2026, 10, 26, 20));
    for (let minute = 0; minute < 4; minute++) {
      world.meter.add('shop', { requests: 10 });
      await world.pass(30_000);
      world.wallOffsetMs += (minute % 2 === 0 ? hours : -hours) * HOUR_MS;
      world.meter.add('shop', { requests: 1 });
      await world.pass(40_000);
    }
    await world.pass(120_000);
    const rows = [...world.store.rows.values()];
    expect(sumOf(rows.map(({ amounts }) => amounts))).toEqual({ requests: 44 });
    for (const { fromMs, toMs } of rows) {
      expect(toMs).toBeGreaterThanOrEqual(fromMs);
      expect(toMs - fromMs).toBeLessThanOrEqual(60_000);
    }
  });
});

describe('81: usage at the moment of the reset is counted once, in one day', () => {
  test.each([1, 50, 249, 250, 251, 999])('reported every quarter of a second, used every %i ms', async (everyMs) => {
    const midnight = Date.UTC(2026, 10, 27, 8);
    const world = await DeskWorld.start(midnight - 3_000);
    let [before, after] = [0, 0];
    for (let passedMs = 0; passedMs < 6_000; passedMs += everyMs) {
      if (world.time.nowMs() < midnight) before++;
      else after++;
      world.meter.add('shop', { requests: 1 });
      await world.pass(everyMs);
    }
    await world.pass(120_000);
    const { days } = await world.desk.usage('shop', { days: 2 });
    expect(days.map(({ amounts }) => amounts.requests)).toEqual([after, before]);
    const invoices = [await world.desk.invoice('shop', '2026-11-26'), await world.desk.invoice('shop', '2026-11-27')];
    const rows = invoices.flatMap((invoice) => invoice.rows.map(({ source, sequence }) => `${source}/${sequence}`));
    expect(new Set(rows).size).toBe(rows.length);
    expect(invoices.map(({ lines }) => lines.find(({ resource }) => resource === 'requests')?.used)).toEqual([before, after]);
  });

  test('what is left over from the last day does not close the new one', async () => {
    const midnight = Date.UTC(2026, 10, 27, 8);
    const world = await DeskWorld.start(midnight - 2_000);
    world.meter.add('shop', { requests: 1_300_000 });
    await world.pass(500);
    expect(() => world.gate.admit('shop')).toThrow('over its quota');
    await world.pass(2_000);
    expect(() => world.gate.admit('shop')).not.toThrow();
  });
});

test.each([
  ['text/html', 'text/html; charset=utf-8'],
  ['application/json', 'application/json; charset=utf-8'],
])('82: over quota, %s gets 503 with which quota and when it resets; no instance is asked', async (accept, type) => {
  const nowMs = Date.UTC(2026, 10, 26, 12);
  const exceeded = {
    ...({ resource: 'cpuMegacycles', title: 'CPU <b>time</b>', reason: 'free', used: 7, limit: 6, usedText: '6.51 CPU-hours' } as const),
    ...{ limitText: '6.5 CPU-hours', resetsAtMs: nowMs + 90_500 },
  };
  const front = await HttpFront.start({
    quotas: {
      admit: (appId) => {
        if (appId === 'hello') throw quotaError(exceeded, nowMs);
      },
    },
  });
  closing.push(() => front.close());
  const { status, headers, text } = await httpByHost(front.port, 'hello.localhost', '/x', { headers: { accept } });
  expect([status, headers['content-type'], headers['retry-after']]).toEqual([503, type, '91']);
  expect(text).toContain('6.51 CPU-hours');
  expect(text).toContain('6.5 CPU-hours');
  expect(text).toMatch(/2026-11-26.12:01:30/);
  if (accept === 'text/html') expect(text).toContain('CPU &lt;b&gt;time&lt;/b&gt;, per day');
  expect(front.instances.acquired).toEqual([]);
  expect((await front.requestLog.atLeast(1))[0]).toMatchObject({ status: 503, errorCode: 'QUOTA_EXCEEDED', appId: 'hello' });
});
